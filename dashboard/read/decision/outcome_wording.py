"""Pure: what a decision is worth and what it earned, in words."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from attribution.core.money import currency as reporting_currency
from dashboard.read.rows import Outcome
from dashboard.units import usd


def value_words(value_usd: Decimal | None) -> str:
    """Return what a decision was expected to earn: `$5.00 expected`."""
    return "value unknown" if value_usd is None else f"{usd(value_usd)} expected"


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
            what += f", {_money(amount, outcome.currency)} {basis}"
        parts.append(what)
    return "; ".join(parts)


def _money(amount: Decimal, currency: str) -> str:
    return usd(amount) if currency == reporting_currency() else f"{amount:,.2f} {currency}"
