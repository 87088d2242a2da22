"""Pure: what each decision of a page earned, of the outcomes that are counted to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from attribution.core.config import AttributionConfig
from attribution.revenue.outcomes import Outcome, Outcomes, earned_by_decision
from collector.core.times import NS_PER_DAY

_MICROS: Final = 1_000_000

Row = Mapping[str, Any]  # of sql/earned.sql
Key = tuple[int, str]  # ingress in Unix ns, and id


@dataclass(frozen=True, slots=True)
class DecisionEarnings:
    """What one decision earned: margin, or revenue where a margin is not known."""

    amount: Decimal | None  # null where neither is known
    converted: bool
    currency: str  # its outcomes' own, or where they have several that of the settings


def earnings_by_decision(
    rows: Sequence[Row], config: AttributionConfig
) -> dict[Key, DecisionEarnings]:
    """Return what the decisions earned that have an outcome, as the cells of their seconds do."""
    rows_of: dict[Key, list[Row]] = {}
    for row in rows:
        rows_of.setdefault((row["ingress_ns"], row["decision_id"]), []).append(row)
    currencies = [{row["currency"] for row in group} for group in rows_of.values()]
    outcomes = [
        _outcome(index, row, config, "rated_" if len(currencies[index]) > 1 else "")
        for index, group in enumerate(rows_of.values())
        for row in group
    ]
    earned = earned_by_decision(Outcomes.from_rows(outcomes), len(rows_of))
    sold = {outcome.decision for outcome in outcomes if outcome.is_sale and not outcome.is_late}
    earnings = {}
    for index, key in enumerate(rows_of):
        amount: int | None = 0  # nothing that earns is known too
        if earned.converted[index]:
            amounts = (
                (earned.margins, earned.margin_micros),
                (earned.revenues, earned.revenue_micros),
            )
            amount = next((int(micros[index]) for known, micros in amounts if known[index]), None)
        earnings[key] = DecisionEarnings(
            None if amount is None else Decimal(amount).scaleb(-6),
            index in sold,
            min(currencies[index]) if len(currencies[index]) == 1 else config.currency,
        )
    return earnings


def _outcome(index: int, row: Row, config: AttributionConfig, prefix: str) -> Outcome:
    ends_ns = row["ingress_ns"] + config.horizon_days_of(row["channel"]) * NS_PER_DAY
    return Outcome(
        decision=index,
        kind=row["kind"],
        is_sale=bool(row["is_sale"]),
        margin_micros=_micros(row[f"{prefix}margin"]),
        revenue_micros=_micros(row[f"{prefix}revenue"]),
        # A correction is never late: what it corrects had a time.
        is_late=row["kind"] != "correction" and row["event_ns"] > ends_ns,
    )


def _micros(amount: Decimal | None) -> int | None:
    return None if amount is None else int(amount * _MICROS)
