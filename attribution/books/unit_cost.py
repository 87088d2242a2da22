"""I/O: what a decision costs: the bills of a time over the decisions of that time.

Bills come late: the last days of a window have decisions and no bill yet. So only the time for
which use was billed counts, for the charges and for the decisions alike, and how much of the
window that is, is told. A sum with a line in a currency without a rate is unknown, never less.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from attribution.core.config import AttributionConfig
from attribution.core.money import MICRO_USD
from attribution.core.segments import CLASSES, COMPUTE, NETWORK, STORE
from attribution.core.selection import CALIBRATION_ACTION, Selection
from collector.core.intervals import merge
from collector.core.sql import sql
from collector.core.times import utc_day
from collector.store.connect import Connections

# ServiceCategory of FOCUS -> the class of time that the money buys.
_CLASS_OF = {
    "Compute": COMPUTE,
    "AI and Machine Learning": COMPUTE,
    "Networking": NETWORK,
    "Storage": STORE,
    "Databases": STORE,
}
OTHER = "other"
# A millionth: with one digit more a small cost would be written as 1E-7.


@dataclass(frozen=True, slots=True)
class Billed:
    """What one name of a bill came to, by the column that was asked for; None is unknown."""

    name: str
    effective: Decimal | None
    billed: Decimal | None
    lines: int
    saved: Decimal | None
    unconverted: int
    first_ns: int  # begin of the first of them, 0 without any
    last_ns: int  # and of the last


@dataclass(frozen=True, slots=True)
class RateMissing:
    """Which rates would make the cost known: of a currency, from one day to another."""

    currency: str
    lines: int
    first_day: str  # YYYY-MM-DD, UTC
    last_day: str


@dataclass(frozen=True, slots=True)
class CostPart:
    """What one provider, host, service or region cost; None where a line has no rate."""

    name: str  # "" where the bill does not say
    effective: Decimal | None
    billed: Decimal | None
    lines: int
    decisions: int | None  # of that region; None where no decision names it, and but for regions
    per_decision: Decimal | None  # of those; but for regions of all


@dataclass(frozen=True, slots=True)
class UnitCost:
    """What the decisions of a window cost; amounts in `attribution.currency`."""

    currency: str
    decisions: int  # in the time that was billed
    decisions_unbilled: int  # in the rest of the window: in no figure
    covered_ratio: float  # of the window, by lines that bill use
    effective: Decimal | None  # amortised; None where a line has no rate, and without any line
    billed: Decimal | None
    saved: Decimal | None  # list less contracted price, where the bill has both
    per_decision: Decimal | None  # effective; None without decisions too
    target: Decimal
    is_met: bool | None  # None where nothing is known
    # Effective; `other` is what buys no class of time. None where nothing was billed at all.
    by_class: Mapping[str, Decimal | None]
    per_decision_by_class: Mapping[str, Decimal | None]
    by_provider: Sequence[CostPart]  # who sells it; all of them sum to the whole, exactly
    by_host: Sequence[CostPart]  # on whose machines it runs, and so do these
    by_service: Sequence[CostPart]
    by_region: Sequence[CostPart]
    unconverted: int  # lines in a currency without a rate
    rates_missing: Sequence[RateMissing]  # whose they are; `millworth import rates` brings them


class Bills:
    """Asks what was billed in the covered part of a window."""

    def __init__(self, config: AttributionConfig, store: Connections, window: Selection) -> None:
        self._config = config
        self._store = store
        self._window = window
        spans = {"from_ns": window.from_ns, "to_ns": window.to_ns}
        self.covered = merge((begin, end) for begin, end in self._rows("cost_periods", **spans))

    @property
    def covered_ns(self) -> int:
        """Return how much of the window use was billed for."""
        return sum(end - begin for begin, end in self.covered)

    def by(self, column: str) -> list[Billed]:
        """Return sums by a column, the dearest first: category, provider, host, ..."""
        rows = self._rows(
            "costs",
            **self._times(),
            currency=self._config.currency,
            rate_days=self._config.rate_days_max,
            by=column,
        )
        return [_billed(*row) for row in rows]

    def decisions(self) -> dict[str, tuple[int, int]]:
        """Return how many decisions began, and how many in the covered time, by region."""
        rows = self._rows("cost_decisions", **self._times(), left_out=CALIBRATION_ACTION)
        return {region: (total, inside) for region, total, inside in rows}

    def _times(self) -> dict[str, Any]:
        return {
            "from_ns": self._window.from_ns,
            "to_ns": self._window.to_ns,
            "begins_ns": [begin for begin, _ in self.covered],
            "ends_ns": [end for _, end in self.covered],
        }

    def _rows(self, name: str, **parameters: object) -> Sequence[Sequence[Any]]:
        return self._store.client().query(sql(name, __file__), parameters=parameters).result_rows


def unit_cost(config: AttributionConfig, store: Connections, window: Selection) -> UnitCost:
    """Return the blended cost of a decision; a charge counts by the part of its period inside.

    Args:
        config: currency, age of rates, target.
        store: read from.
        window: of the decisions and of the charges.
    """
    bills = Bills(config, store, window)
    by_category = bills.by("category")
    counted = bills.decisions()
    inside = sum(each[1] for each in counted.values())
    classes: dict[str, list[Billed]] = {name: [] for name in (*CLASSES[:3], OTHER)}
    for row in by_category:
        class_code = _CLASS_OF.get(row.name)
        classes[OTHER if class_code is None else CLASSES[class_code]].append(row)
    # Without any line nothing is known of any class; with some, one without a line cost nothing.
    by_class = {
        name: _sum(row.effective for row in rows) if by_category else None
        for name, rows in classes.items()
    }
    effective = _sum(row.effective for row in by_category) if by_category else None
    target = Decimal(str(config.cost_per_decision_max))
    return UnitCost(
        currency=config.currency,
        decisions=inside,
        decisions_unbilled=sum(each[0] for each in counted.values()) - inside,
        covered_ratio=bills.covered_ns / max(window.to_ns - window.from_ns, 1),
        effective=effective,
        billed=_sum(row.billed for row in by_category) if by_category else None,
        saved=_sum(row.saved for row in by_category) if by_category else None,
        per_decision=_over(effective, inside),
        target=target,
        # Exactly, and not as it is written: 0.0025004 is over 0.0025.
        is_met=effective <= target * inside if effective is not None and inside else None,
        by_class=by_class,
        per_decision_by_class={name: _over(each, inside) for name, each in by_class.items()},
        by_provider=_parts(bills.by("provider"), inside),
        by_host=_parts(bills.by("host"), inside),
        by_service=_parts(bills.by("service"), inside),
        by_region=_regions(bills.by("region"), counted),
        unconverted=sum(row.unconverted for row in by_category),
        rates_missing=[
            RateMissing(row.name, row.unconverted, utc_day(row.first_ns), utc_day(row.last_ns))
            for row in bills.by("currency")
            if row.unconverted
        ],
    )


def _parts(rows: Sequence[Billed], decisions: int) -> list[CostPart]:
    return [
        CostPart(
            row.name, row.effective, row.billed, row.lines, None, _over(row.effective, decisions)
        )
        for row in rows
    ]


def _regions(rows: Sequence[Billed], counted: Mapping[str, tuple[int, int]]) -> list[CostPart]:
    """Return what regions cost; one whose name no decision carries has no cost a decision."""
    cost_parts = []
    for row in rows:
        decisions = counted[row.name][1] if row.name and row.name in counted else None
        cost_parts.append(
            CostPart(
                row.name,
                row.effective,
                row.billed,
                row.lines,
                decisions,
                None if decisions is None else _over(row.effective, decisions),
            )
        )
    return cost_parts


def _billed(
    name: str,
    effective: int,
    billed: int,
    saved: int | None,
    lines: int,
    unconverted: int,
    first_ns: int,
    last_ns: int,
) -> Billed:
    """Return a row of `costs.sql`; what a line without a rate is missing from is unknown."""
    amounts = [None if unconverted else _exact(each) for each in (effective, billed, saved or 0)]
    return Billed(name, amounts[0], amounts[1], lines, amounts[2], unconverted, first_ns, last_ns)


def _sum(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """Return the sum, None where a part of it is unknown."""
    total = Decimal(0)
    for each in amounts:
        if each is None:
            return None
        total += each
    return total


def _over(amount: Decimal | None, decisions: int) -> Decimal | None:
    if amount is None or not decisions:
        return None
    return (amount / decisions).quantize(MICRO_USD)


def _exact(billionths: int) -> Decimal:
    return Decimal(billionths).scaleb(-9)
