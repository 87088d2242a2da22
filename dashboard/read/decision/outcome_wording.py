"""Pure: what a decision lost, is worth and earned, and what its sender stated, in words."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from attribution.core.money import currency as reporting_currency
from dashboard.read.rows import Outcome
from dashboard.units import UNKNOWN, usd

if TYPE_CHECKING:
    # Commands say these words too, and need no more of a list than its rows' names.
    from dashboard.read.decisions.listing import DecisionRow


def lost_words(row: DecisionRow | None) -> str:
    """Return what a decision lost, with its interval: `$3.43 (90 %: $1.20 to $4.00)`.

    None is one whose second is not summed yet.
    """
    if row is None:
        return "not known yet"
    if row.loss_usd is None or row.loss_low_usd is None or row.loss_high_usd is None:
        return UNKNOWN
    if not row.loss_high_usd:
        return "nothing"
    return f"{usd(row.loss_usd)} (90 %: {usd(row.loss_low_usd)} to {usd(row.loss_high_usd)})"


def worth_words(row: DecisionRow | None) -> str:
    """Return what a decision is worth, had it neither failed nor been late, and by what."""
    if row is None:
        return "not known yet"
    if row.value_usd is None:
        return UNKNOWN
    return f"{usd(row.value_usd)} by {'what its sender stated' if row.is_stated else 'its class'}"


def priced_words(row: DecisionRow | None) -> str:
    """Return both: `lost $3.43 (90 %: $1.20 to $4.00), worth $3.43 by its class`."""
    if row is None or row.value_usd is None:
        return f"what it lost and is worth: {worth_words(row)}"
    return f"lost {lost_words(row)}, worth {worth_words(row)}"


def stated_words(value_usd: Decimal | None) -> str:
    """Return what the sender stated: `stated by the sender: $5.00`."""
    return f"stated by the sender: {'nothing' if value_usd is None else usd(value_usd)}"


def money_words(amount: Decimal, currency: str) -> str:
    """Return an amount of an outcome, in the outcome's own currency: `$12.30`, `49.90 EUR`.

    Some currencies have thousandths: `6.125 KWD`.
    """
    if currency == reporting_currency():
        return usd(amount)
    text = f"{amount:,.3f}"
    return f"{text.removesuffix('0')} {currency}"


def outcome_words(outcomes: Sequence[Outcome]) -> str:
    """Return what a decision earned: `sold, $12.30 margin; refund, $49.90 revenue`."""
    if not outcomes:
        return "none known yet"
    parts = []
    for outcome in outcomes:
        what = outcome.kind
        if what == "sale":
            what = "sold" if outcome.is_sale else "nothing sold"
        amount = outcome.margin if outcome.margin is not None else outcome.revenue
        basis = "margin" if outcome.margin is not None else "revenue"
        if amount is not None and (amount or outcome.is_sale):
            what += f", {money_words(amount, outcome.currency)} {basis}"
        parts.append(what)
    return "; ".join(parts)
