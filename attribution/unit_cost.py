"""I/O: what a decision costs: the bills of a time over the decisions of that time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from attribution.answers import Selection
from attribution.config import AttributionConfig
from attribution.queries import Reader
from attribution.spans import CLASSES, COMPUTE, NETWORK, STORE
from collector.config import AttributesConfig
from collector.store.connect import Connections

# ServiceCategory of FOCUS 1.2 -> the class of time that the money buys.
_CLASS_OF = {
    "Compute": COMPUTE,
    "AI and Machine Learning": COMPUTE,
    "Networking": NETWORK,
    "Storage": STORE,
    "Databases": STORE,
}
OTHER = "other"


@dataclass(frozen=True, slots=True)
class UnitCost:
    """What the decisions of a window cost; amounts in `attribution.currency`."""

    currency: str
    decisions: int
    effective: Decimal  # amortised
    billed: Decimal
    saved: Decimal  # list less contracted price, where the bill has both
    per_decision: Decimal | None  # effective; None without decisions
    target: Decimal
    is_met: bool | None  # None where nothing is known
    by_class: Mapping[str, Decimal]  # effective; `other` is what buys no class of time
    unconverted: int  # lines in a currency without a rate: in no sum


def unit_cost(config: AttributionConfig, store: Connections, window: Selection) -> UnitCost:
    """Return the blended cost of a decision; a bill counts by the part of its period inside.

    Args:
        config: currency, age of rates, target.
        store: read from.
        window: of the decisions and of the charges.
    """
    reader = Reader(store, AttributesConfig())
    try:
        rows = reader.costs(window.from_ns, window.to_ns, config.currency, config.rate_days_max)
        decisions = reader.selected_count(window)
    except BaseException:
        store.close()
        raise
    by_class = {name: Decimal(0) for name in (*CLASSES[:3], OTHER)}
    for row in rows:
        at = _CLASS_OF.get(row["service_category"])
        by_class[OTHER if at is None else CLASSES[at]] += _exact(row["effective"])
    effective = sum(by_class.values(), Decimal(0))
    per_decision = (
        (effective / decisions).quantize(Decimal("0.0000001")) if decisions and rows else None
    )
    target = Decimal(str(config.cost_per_decision_max))
    return UnitCost(
        currency=config.currency,
        decisions=decisions,
        effective=effective,
        billed=sum((_exact(row["billed"]) for row in rows), Decimal(0)),
        saved=sum((_exact(row["saved"] or 0.0) for row in rows), Decimal(0)),
        per_decision=per_decision,
        target=target,
        is_met=None if per_decision is None else per_decision <= target,
        by_class=by_class,
        unconverted=sum(row["unconverted"] for row in rows),
    )


def _exact(amount: float) -> Decimal:
    """Return a sum of shares of lines to a millionth, which is what a line is kept to."""
    return Decimal(amount).quantize(Decimal("0.000001"))
