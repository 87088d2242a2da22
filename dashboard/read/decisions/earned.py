"""Pure: what each decision of a page earned, of the outcomes that are counted to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from attribution.core.config import AttributionConfig
from attribution.revenue.outcomes import Outcome, Outcomes, earned_by_decision
from collector.core.clock import NS_PER_DAY

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
    own: dict[Key, list[Row]] = {}
    for row in rows:
        own.setdefault((row["ingress_ns"], row["decision_id"]), []).append(row)
    currencies = [{row["currency"] for row in told} for told in own.values()]
    outcomes = [
        _outcome(at, row, config, "rated_" if len(currencies[at]) > 1 else "")
        for at, told in enumerate(own.values())
        for row in told
    ]
    earned = earned_by_decision(Outcomes.of(outcomes), len(own))
    sold = {each.decision for each in outcomes if each.is_sale and not each.is_late}
    found = {}
    for at, key in enumerate(own):
        amount: int | None = 0  # nothing that earns is known too
        if earned.converted[at]:
            amounts = (
                (earned.margins, earned.margin_micros),
                (earned.revenues, earned.revenue_micros),
            )
            amount = next((int(micros[at]) for known, micros in amounts if known[at]), None)
        found[key] = DecisionEarnings(
            None if amount is None else Decimal(amount).scaleb(-6),
            at in sold,
            min(currencies[at]) if len(currencies[at]) == 1 else config.currency,
        )
    return found


def _outcome(at: int, row: Row, config: AttributionConfig, prefix: str) -> Outcome:
    ends_ns = row["ingress_ns"] + config.horizon_days_of(row["channel"]) * NS_PER_DAY
    return Outcome(
        decision=at,
        kind=row["kind"],
        is_sale=bool(row["is_sale"]),
        margin_micros=_micros(row[f"{prefix}margin"]),
        revenue_micros=_micros(row[f"{prefix}revenue"]),
        # A correction is never late: what it corrects had a time.
        is_late=row["kind"] != "correction" and row["event_ns"] > ends_ns,
    )


def _micros(amount: Decimal | None) -> int | None:
    return None if amount is None else int(amount * _MICROS)
