"""I/O: pages of decisions with their dollars, and what all that a filter holds cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from attribution.core.config import AttributionConfig
from attribution.core.segments import SEGMENTS
from attribution.core.selection import CALIBRATION_ACTION
from collector.core.clock import NS_PER_MINUTE
from collector.core.sql import sql
from dashboard.read.decisions.wanted import DOLLAR_SORTS, After, Order, Wanted
from dashboard.read.reader import Reader
from dashboard.read.rows import Range, Reference

PAGE_ROWS_MAX: Final = 1_000
FILE_ROWS_MAX: Final = 100_000  # of a file of all that a filter holds
# The newest are looked for in the newest part of a range first, which grows until they are there.
_FIRST_PART: Final = 256
_PART_NS_MIN: Final = NS_PER_MINUTE
_GROWS: Final = 4
_MICROS: Final = Decimal("0.000001")
_ROWS_A_READING: Final = 5_000


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """One decision of a list. A dollar that nobody knows is null."""

    decision_id: str
    ingress_ns: int
    action: str
    region: str
    channel: str
    cohort: str
    service_name: str
    total_ns: int
    target_ns: int
    worst: str  # the largest segment: stage/class
    worst_ns: int
    is_error: bool
    packets: bool  # linked to it
    value_usd: Decimal | None  # expected, had it neither failed nor been late
    loss_usd: Decimal | None  # by failure or lateness, at the median slope
    loss_low_usd: Decimal | None
    loss_high_usd: Decimal | None
    earned: Decimal | None  # margin, else revenue, of its outcomes; null where none came
    converted: bool | None  # null where no outcome came
    currency: str


@dataclass(frozen=True, slots=True)
class Totals:
    """All that a filter holds; dollars are null where no value is known."""

    decisions: int
    late: int
    unvalued: int  # of unknown value, in no dollar
    value_usd: Decimal | None
    loss_usd: Decimal | None
    loss_low_usd: Decimal | None
    loss_high_usd: Decimal | None


@dataclass(frozen=True, slots=True)
class HeatCell:
    """Decisions of one column of time whose latency fell into one log2 bucket."""

    column_ns: int
    bucket: int  # floor(8 * log2(ns)), 0 for 0 ns
    decisions: int
    late: int
    unvalued: int  # of unknown value, in no dollar
    loss_usd: Decimal | None  # null where no value is known


@dataclass(frozen=True, slots=True)
class Offered:
    """What the decisions of a range may be filtered by."""

    channels: list[str]
    cohorts: list[str]
    services: list[str]

    @property
    def by_dimension(self) -> dict[str, list[str]]:
        """Return the values by the name of their filter."""
        return {"channel": self.channels, "cohort": self.cohorts, "service": self.services}


class DecisionList:
    """Answers questions about many decisions; each reads the range that it is about.

    Args:
        reader: of the store.
        config: the settings that dollars rest on.
        reference: the latencies that decisions are late by.
    """

    def __init__(self, reader: Reader, config: AttributionConfig, reference: Reference) -> None:
        self._reader = reader
        self._config = config
        self._reference = reference

    def offered(self, seen: Range) -> Offered:
        """Return what may be filtered by."""
        [row] = self._reader.ask("offered", __file__, _range(seen))
        return Offered(**{name: [text for text in texts if text] for name, texts in row.items()})

    def stated(self, seen: Range) -> bool:
        """Return whether some decisions of a range are worth what they state."""
        [row] = self._reader.ask("stated", __file__, _range(seen))
        return bool(row["stated"])

    def page(
        self, wanted: Wanted, order: Order, rows_max: int, *, stated: bool
    ) -> tuple[list[DecisionRow], After | None]:
        """Return one page, and where the next begins: None where there is no more."""
        found = self._keys(wanted, order, rows_max + 1, stated=stated)
        rows, more = found[:rows_max], found[rows_max:]
        if not rows:
            return [], None
        last = rows[-1]
        after = After(last["key"], last["ingress_ns"], last["decision_id"]) if more else None
        return self._with_rest(wanted, rows, stated=stated), after

    def all_rows(self, wanted: Wanted, order: Order, rows_max: int) -> Iterator[list[DecisionRow]]:
        """Yield all rows up to a number, some thousands at a time."""
        stated = self.stated(wanted.seen)
        left, after = rows_max, order.after
        while left > 0:
            part = min(left, _ROWS_A_READING)
            rows, after = self.page(wanted, replace(order, after=after), part, stated=stated)
            yield rows
            left -= len(rows)
            if after is None:
                return

    def one(self, decision_id: str, ingress_ns: int) -> DecisionRow | None:
        """Return one decision with its dollars, None while it is not attributed."""
        seen = Range(ingress_ns, ingress_ns + 1)
        rows, _ = self.page(Wanted(seen), Order("latency"), PAGE_ROWS_MAX, stated=self.stated(seen))
        return next((row for row in rows if row.decision_id == decision_id), None)

    def count(self, wanted: Wanted) -> int:
        """Return how many decisions a filter holds."""
        [row] = self._ask("count", self._filtered(wanted))
        return int(row["decisions"])

    def totals(self, wanted: Wanted, *, stated: bool) -> Totals:
        """Return how many decisions a filter holds, and what they cost."""
        [row] = self._ask("totals", self._priced(wanted, stated=stated))
        decisions, unvalued = int(row["decisions"]), int(row["unvalued"])
        known = decisions > unvalued
        return Totals(
            decisions=decisions,
            late=int(row["late"]),
            unvalued=unvalued,
            **{
                f"{name}_usd": _usd(row[name]) if known else None
                for name in ("value", "loss", "loss_low", "loss_high")
            },
        )

    def cells(self, wanted: Wanted, step_ns: int, *, stated: bool) -> list[HeatCell]:
        """Return what a filter holds by column of time and latency, in that order."""
        parameters = {"step_ns": step_ns, "calibration": CALIBRATION_ACTION}
        rows = self._ask("cells", self._priced(wanted, stated=stated) | parameters)
        return [
            HeatCell(
                **{
                    name: int(row[name])
                    for name in ("column_ns", "bucket", "decisions", "late", "unvalued")
                },
                loss_usd=_usd(row["loss"]) if row["decisions"] > row["unvalued"] else None,
            )
            for row in rows
        ]

    def _keys(
        self, wanted: Wanted, order: Order, rows_max: int, *, stated: bool
    ) -> list[dict[str, Any]]:
        after = order.after
        parameters = {
            "sort": order.sort,
            "direction": 1 if order.ascending else -1,
            "has_after": int(after is not None),
            "after_key": after.key if after else 0,
            "after_ns": after.ingress_ns if after else 0,
            "after_id": after.decision_id if after else "",
            "rows_max": rows_max,
        }
        if order.sort in DOLLAR_SORTS:
            return self._ask("by_dollars", self._priced(wanted, stated=stated) | parameters)
        found: list[dict[str, Any]] = []
        for part in _parts(wanted, order):
            found = self._ask("by_column", self._filtered(part) | parameters)
            if len(found) == rows_max:
                break
        return found

    def _with_rest(
        self, wanted: Wanted, rows: Sequence[dict[str, Any]], *, stated: bool
    ) -> list[DecisionRow]:
        """Return rows with what is looked up for a page alone: dollars, service, outcome."""
        ids = [row["decision_id"] for row in rows]
        from_ns = min(row["ingress_ns"] for row in rows)
        to_ns = max(row["ingress_ns"] for row in rows) + 1
        part = replace(wanted, seen=replace(wanted.seen, from_ns=from_ns, to_ns=to_ns))
        priced = _by_key(self._ask("dollars", self._priced(part, stated=stated) | {"ids": ids}))
        between = {"from_ns": from_ns, "to_ns": to_ns, "ids": ids}
        facts = _by_key(self._reader.ask("facts", __file__, between))
        keys = sorted({fact["outcome_key"] for fact in facts.values() if fact["outcome_key"]})
        asked = {"ids": ids, "outcome_keys": keys}
        earned = self._reader.ask("earned", __file__, asked)
        by_id = {row["decision_id"]: row for row in earned if row["decision_id"]}
        by_order = {row["outcome_key"]: row for row in earned if not row["decision_id"]}
        found = []
        for row in rows:
            key = row["ingress_ns"], row["decision_id"]
            fact = facts.get(key, {"service_name": "", "outcome_key": "", "packets": 0})
            outcome = by_id.get(row["decision_id"]) or by_order.get(fact["outcome_key"])
            found.append(_row(row, priced.get(key), fact, outcome))
        return found

    def _filtered(self, wanted: Wanted) -> dict[str, Any]:
        seen, reference = wanted.seen, self._reference
        # The engine refuses an empty list of actions, so a name that no action has stands in.
        by_action = reference.by_action_ns or {"": reference.default_ns}
        return {
            "from_ns": seen.from_ns,
            "to_ns": seen.to_ns,
            "action": seen.action,
            "region": seen.region,
            "channel": wanted.channel,
            "cohort": wanted.cohort,
            "service": wanted.service,
            "late": int(wanted.late),
            "places": wanted.places,
            "low_ns": wanted.low_ns,
            "high_ns": wanted.high_ns,
            "reference_actions": list(by_action),
            "reference_ns": list(by_action.values()),
            "default_reference_ns": reference.default_ns,
        }

    def _priced(self, wanted: Wanted, *, stated: bool) -> dict[str, Any]:
        seen = wanted.seen
        steps = self._reader.slopes(self._config).steps(seen.from_ns, seen.to_ns)
        return self._filtered(wanted) | {
            "stated": int(stated),
            "slope_since_ns": [since_ns for since_ns, _ in steps],
            "slope_median": [slope.median for _, slope in steps],
            "slope_low": [slope.low for _, slope in steps],
            "slope_high": [slope.high for _, slope in steps],
        }

    def _ask(self, name: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        text = sql(name, __file__)
        for part in ("priced", "filtered"):
            text = text.replace(f"${{{part}}}", sql(part, __file__).rstrip())
        return self._reader.ask_text(text, parameters)


def _parts(wanted: Wanted, order: Order) -> Iterator[Wanted]:
    """Yield what to look through, until a page is full: of an order by time ever longer parts."""
    seen = wanted.seen
    if order.sort != "time":
        yield wanted
        return
    if order.after is not None:
        at_ns = order.after.ingress_ns
        begins, ends = (at_ns, seen.to_ns) if order.ascending else (seen.from_ns, at_ns + 1)
        seen = replace(seen, from_ns=max(begins, seen.from_ns), to_ns=min(ends, seen.to_ns))
    width_ns = max((seen.to_ns - seen.from_ns) // _FIRST_PART, _PART_NS_MIN)
    while width_ns < seen.to_ns - seen.from_ns:
        begin = seen.from_ns if order.ascending else seen.to_ns - width_ns
        yield replace(wanted, seen=replace(seen, from_ns=begin, to_ns=begin + width_ns))
        width_ns *= _GROWS
    yield replace(wanted, seen=seen)


def _range(seen: Range) -> dict[str, int]:
    return {"from_ns": seen.from_ns, "to_ns": seen.to_ns}


def _by_key(rows: Sequence[dict[str, Any]]) -> dict[tuple[int, str], dict[str, Any]]:
    return {(row["ingress_ns"], row["decision_id"]): row for row in rows}


def _row(
    row: dict[str, Any],
    priced: dict[str, Any] | None,
    fact: dict[str, Any],
    outcome: dict[str, Any] | None,
) -> DecisionRow:
    known = priced is not None and bool(priced["is_valued"])
    dollars: dict[str, Decimal | None] = {
        f"{name}_usd": _usd(priced[name]) if priced is not None and known else None
        for name in ("value", "loss", "loss_low", "loss_high")
    }
    amount = None if outcome is None else outcome["amount"]
    return DecisionRow(
        decision_id=row["decision_id"],
        ingress_ns=row["ingress_ns"],
        action=row["action"],
        region=row["region"],
        channel=row["channel"],
        cohort=row["cohort"],
        service_name=fact["service_name"],
        total_ns=row["total_ns"],
        target_ns=row["target_ns"],
        worst="/".join(SEGMENTS[row["worst"] - 1]),
        worst_ns=row["worst_ns"],
        is_error=bool(row["is_error"]),
        packets=bool(fact["packets"]),
        **dollars,
        earned=None if amount is None else _usd(amount),
        converted=None if outcome is None else bool(outcome["converted"]),
        currency="" if outcome is None else outcome["currency"],
    )


def _usd(amount: float) -> Decimal:
    return Decimal(amount).quantize(_MICROS)
