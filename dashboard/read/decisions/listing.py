"""I/O: pages of decisions with their dollars, and what all that a filter holds cost."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import islice, pairwise
from typing import Any, Final

from attribution.core.config import AttributionConfig
from attribution.core.segments import SEGMENTS
from attribution.core.selection import CALIBRATION_ACTION
from attribution.revenue.priced import STATED, over_priced
from collector.core.sql import sql
from collector.core.times import NS_PER_MINUTE, NS_PER_S
from dashboard.read.decisions.earned import DecisionEarnings, earnings_by_decision
from dashboard.read.decisions.filter import DOLLAR_SORTS, DecisionFilter, Order, PageCursor
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
_CARRIED: Final = ("action", "region", "channel", "cohort", "worst", "worst_ns")
# What is priced at a time: beside its cell and its statement a decision takes 200 bytes.
_PRICED_MAX: Final = 1_000_000


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
    value_usd: Decimal | None  # what it is worth, had it neither failed nor been late
    is_stated: bool  # its value is what its sender stated; else it is that of its class
    loss_usd: Decimal | None  # by failure or lateness, at the median slope
    loss_low_usd: Decimal | None
    loss_high_usd: Decimal | None
    earned: Decimal | None  # margin, else revenue, of the outcomes counted to it; null: not known
    converted: bool | None  # null where no outcome is counted to it
    currency: str  # of what it earned: its outcomes' own, or that of the settings for several


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
class FilterValues:
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
        priced_max: decisions that are priced at a time; more are so in parts of the range.
    """

    def __init__(
        self,
        reader: Reader,
        config: AttributionConfig,
        reference: Reference,
        *,
        priced_max: int = _PRICED_MAX,
    ) -> None:
        self._reader = reader
        self._priced_max = priced_max
        self._config = config
        self._reference = reference

    def offered(self, view: Range) -> FilterValues:
        """Return what may be filtered by."""
        [row] = self._reader.ask("offered", __file__, _range(view))
        return FilterValues(
            **{name: [text for text in texts if text] for name, texts in row.items()}
        )

    def stated(self, view: Range) -> bool:
        """Return whether some decisions of a range are worth what they state."""
        [row] = self._reader.ask_text(STATED, _range(view))
        return bool(row["stated"])

    def page(
        self, criteria: DecisionFilter, order: Order, rows_max: int, *, stated: bool
    ) -> tuple[list[DecisionRow], PageCursor | None]:
        """Return one page, and where the next begins: None where there is no more."""
        criteria = criteria.summed
        keys = self._keys(criteria, order, rows_max + 1, stated=stated)
        rows, more = keys[:rows_max], keys[rows_max:]
        if not rows:
            return [], None
        cursor = None
        if more:
            place = [rows[-1][column] for column in ("key", "ingress_ns", "decision_id")]
            cursor = PageCursor(order.sort, order.ascending, *place)
        return self._complete(criteria, rows, stated=stated), cursor

    def all_rows(
        self, criteria: DecisionFilter, order: Order, rows_max: int
    ) -> Iterator[list[DecisionRow]]:
        """Yield all rows up to a number, some thousands at a time."""
        stated = self.stated(criteria.view)
        left, cursor = rows_max, order.cursor
        while left > 0:
            part = min(left, _ROWS_A_READING)
            rows, cursor = self.page(criteria, replace(order, cursor=cursor), part, stated=stated)
            yield rows
            left -= len(rows)
            if cursor is None:
                return

    def row_of(self, decision_id: str, ingress_ns: int) -> DecisionRow | None:
        """Return one decision with its dollars, None while its second is not summed."""
        view = Range(ingress_ns, ingress_ns + 1)
        rows, _ = self.page(
            DecisionFilter(view), Order("latency"), PAGE_ROWS_MAX, stated=self.stated(view)
        )
        return next((row for row in rows if row.decision_id == decision_id), None)

    def count(self, criteria: DecisionFilter) -> int:
        """Return how many decisions a filter holds."""
        [row] = self._ask("count", self._filtered(criteria))
        return int(row["decisions"])

    def totals(self, criteria: DecisionFilter, *, stated: bool) -> Totals:
        """Return how many decisions a filter holds, and what they cost."""
        rows = [row for [row] in self._ask_priced("totals", criteria, {}, stated=stated)]
        sums = {name: sum(row[name] for row in rows) for name in rows[0]}
        decisions, unvalued = int(sums["decisions"]), int(sums["unvalued"])
        is_known = decisions > unvalued
        return Totals(
            decisions=decisions,
            late=int(sums["late"]),
            unvalued=unvalued,
            **{
                f"{name}_usd": _usd(sums[name]) if is_known else None
                for name in ("value", "loss", "loss_low", "loss_high")
            },
        )

    def cells(self, criteria: DecisionFilter, step_ns: int, *, stated: bool) -> list[HeatCell]:
        """Return what a filter holds by column of time and latency, in that order."""
        parameters = {"step_ns": step_ns, "calibration": CALIBRATION_ACTION}
        sums: dict[tuple[int, int], list[float]] = {}
        for rows in self._ask_priced("cells", criteria, parameters, stated=stated):
            for row in rows:
                cell = sums.setdefault((int(row["column_ns"]), int(row["bucket"])), [0, 0, 0, 0.0])
                for place, name in enumerate(("decisions", "late", "unvalued", "loss")):
                    cell[place] += row[name]
        return [
            HeatCell(
                *key,
                decisions=int(decisions),
                late=int(late),
                unvalued=int(unvalued),
                loss_usd=_usd(loss) if decisions > unvalued else None,
            )
            for key, (decisions, late, unvalued, loss) in sorted(sums.items())
        ]

    def _keys(
        self, criteria: DecisionFilter, order: Order, rows_max: int, *, stated: bool
    ) -> list[dict[str, Any]]:
        cursor = order.cursor
        parameters = {
            "sort": order.sort,
            "direction": 1 if order.ascending else -1,
            "has_after": int(cursor is not None),
            "after_key": cursor.key if cursor else 0,
            "after_ns": cursor.ingress_ns if cursor else 0,
            "after_id": cursor.decision_id if cursor else "",
            "rows_max": rows_max,
        }
        if order.sort in DOLLAR_SORTS:
            parts = self._ask_priced("by_dollars", criteria, parameters, stated=stated)
            direction = 1 if order.ascending else -1
            in_order = heapq.merge(*parts, key=lambda row: _place(row, direction))
            return list(islice(in_order, rows_max))
        rows: list[dict[str, Any]] = []
        for part in _parts(criteria, order):
            rows = self._ask("by_column", self._filtered(part) | parameters)
            if len(rows) == rows_max:
                break
        return rows

    def _complete(
        self, criteria: DecisionFilter, rows: Sequence[dict[str, Any]], *, stated: bool
    ) -> list[DecisionRow]:
        """Return rows with what is looked up for a page alone: dollars, service, outcome."""
        ids = [row["decision_id"] for row in rows]
        from_ns = min(row["ingress_ns"] for row in rows)
        to_ns = max(row["ingress_ns"] for row in rows) + 1
        part = replace(criteria, view=replace(criteria.view, from_ns=from_ns, to_ns=to_ns))
        instants = sorted({row["ingress_ns"] for row in rows})
        of_page = {"ids": ids, "instants_ns": instants, "seconds_ns": _seconds(instants)}
        priced = _by_key(self._ask("dollars", self._priced(part, stated=stated) | of_page))
        between = {"from_ns": from_ns, "to_ns": to_ns, "ids": ids, "instants_ns": instants}
        facts = _by_key(self._reader.ask("facts", __file__, between))
        rated = {"currency": self._config.currency, "rate_days": self._config.rate_days_max}
        outcomes = self._reader.ask("earned", __file__, of_page | rated)
        earned = earnings_by_decision(outcomes, self._config)
        listed = []
        for row in rows:
            key = row["ingress_ns"], row["decision_id"]
            fact = facts.get(key, {"service_name": "", "packets": 0})
            listed.append(_row(row, priced.get(key), fact, earned.get(key)))
        return listed

    def _filtered(self, criteria: DecisionFilter) -> dict[str, Any]:
        view, reference = criteria.view, self._reference
        # The engine refuses an empty list of actions, so a name that no action has stands in.
        by_action = reference.by_action_ns or {"": reference.default_ns}
        return {
            "from_ns": view.from_ns,
            "to_ns": view.to_ns,
            "action": view.action,
            "region": view.region,
            "channel": criteria.channel,
            "cohort": criteria.cohort,
            "service": criteria.service,
            "late": int(criteria.late),
            "failed": int(criteria.failed),
            "places": criteria.places,
            "low_ns": criteria.low_ns,
            "high_ns": criteria.high_ns,
            "reference_actions": list(by_action),
            "reference_ns": list(by_action.values()),
            "default_reference_ns": reference.default_ns,
            "summed_ns": criteria.summed.summed_ns,
            "instants_ns": [],
        }

    def _priced(self, criteria: DecisionFilter, *, stated: bool) -> dict[str, Any]:
        view = criteria.view
        book = self._reader.slopes(self._config)
        priced = self._filtered(criteria) | book.parameters(view.from_ns, view.to_ns)
        return priced | {"stated": int(stated), "seconds_ns": [], "every": 1}

    def _ask_priced(
        self, name: str, criteria: DecisionFilter, parameters: dict[str, Any], *, stated: bool
    ) -> Iterator[list[dict[str, Any]]]:
        """Yield the rows of a statement over priced.sql, of one part of the range after the other.

        To join all that a month holds takes more memory than a question may.
        """
        criteria, view = criteria.summed, criteria.view
        [row] = self._reader.ask("held", __file__, _range(view))
        parts = max(1, math.ceil(row["decisions"] / self._priced_max))
        ends = [
            view.from_ns + (view.to_ns - view.from_ns) * part // parts for part in range(parts + 1)
        ]
        for from_ns, to_ns in pairwise(ends):
            part = replace(criteria, view=replace(view, from_ns=from_ns, to_ns=to_ns))
            yield self._ask(name, self._priced(part, stated=stated) | parameters)

    def _ask(self, name: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        filtered = sql("filtered", __file__)
        text = over_priced(sql(name, __file__), filtered, _CARRIED)
        return self._reader.ask_text(text, parameters)


def _place(row: dict[str, Any], direction: int) -> tuple[int, int, str]:
    """Return where a row stands in the order of by_dollars.sql."""
    return row["key"] * direction, row["ingress_ns"] * direction, row["decision_id"]


def _seconds(instants_ns: Sequence[int]) -> list[int]:
    return sorted({ns - ns % NS_PER_S for ns in instants_ns})


def _parts(criteria: DecisionFilter, order: Order) -> Iterator[DecisionFilter]:
    """Yield what to look through, until a page is full: of an order by time ever longer parts."""
    view = criteria.view
    if order.sort != "time":
        yield criteria
        return
    if order.cursor is not None:
        at_ns = order.cursor.ingress_ns
        begins, ends = (at_ns, view.to_ns) if order.ascending else (view.from_ns, at_ns + 1)
        view = replace(view, from_ns=max(begins, view.from_ns), to_ns=min(ends, view.to_ns))
    width_ns = max((view.to_ns - view.from_ns) // _FIRST_PART, _PART_NS_MIN)
    while width_ns < view.to_ns - view.from_ns:
        begin = view.from_ns if order.ascending else view.to_ns - width_ns
        yield replace(criteria, view=replace(view, from_ns=begin, to_ns=begin + width_ns))
        width_ns *= _GROWS
    yield replace(criteria, view=view)


def _range(view: Range) -> dict[str, int]:
    return {"from_ns": view.from_ns, "to_ns": view.to_ns}


def _by_key(rows: Sequence[dict[str, Any]]) -> dict[tuple[int, str], dict[str, Any]]:
    return {(row["ingress_ns"], row["decision_id"]): row for row in rows}


def _row(
    row: dict[str, Any],
    priced: dict[str, Any] | None,
    fact: dict[str, Any],
    earned: DecisionEarnings | None,
) -> DecisionRow:
    known = priced is not None and bool(priced["is_valued"])
    dollars: dict[str, Decimal | None] = {
        f"{name}_usd": _usd(priced[name]) if priced is not None and known else None
        for name in ("value", "loss", "loss_low", "loss_high")
    }
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
        is_stated=priced is not None and known and bool(priced["is_stated"]),
        **dollars,
        earned=None if earned is None else earned.amount,
        converted=None if earned is None else earned.converted,
        currency="" if earned is None else earned.currency,
    )


def _usd(amount: float) -> Decimal:
    return Decimal(amount).quantize(_MICROS)
