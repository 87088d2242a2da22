"""Pure: the series of a test in place of a store: the statements of rules over made-up rows.

Only what a statement adds up is here; what a rule makes of the sums is the rule's own code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

import numpy as np

from alerts.replay.series import Floats, Ints
from alerts.replay.trial.file import Case
from collector.core.errors import InputError
from collector.core.times import NS_PER_MS

# Midnight, so that windows that end at whole minutes do so at those of the test too.
BEGIN_NS: Final = 1_999_987_200 * 10**9

_MICRO: Final = Decimal("0.000001")
Of = tuple[str, str]


class Points:
    """One figure of one subject: what it was from each instant on, for an interval."""

    def __init__(self, values: Mapping[int, float]) -> None:
        self.starts_ns: Ints = np.array(sorted(values), np.int64)
        found: Floats = np.array([values[int(at)] for at in self.starts_ns], np.float64)
        self._values = found
        self._sums = np.concatenate([[0.0], np.cumsum(found)])

    def _places(self, from_ns: int, to_ns: int) -> tuple[int, int]:
        first, last = np.searchsorted(self.starts_ns, [from_ns, to_ns])
        return int(first), int(last)

    def total(self, from_ns: int, to_ns: int) -> float:
        """Return the sum of [from, to)."""
        first, last = self._places(from_ns, to_ns)
        return float(self._sums[last] - self._sums[first])

    def newest(self, from_ns: int, to_ns: int) -> tuple[int, float]:
        """Return the newest instant of [from, to) and its value, (0, 0) where there is none."""
        first, last = self._places(from_ns, to_ns)
        if first == last:
            return 0, 0.0
        return int(self.starts_ns[last - 1]), float(self._values[last - 1])


class Cells:
    """What is stored at one instant of a test; implements the `Reader` of rules.

    Args:
        case: with the series.
        at_ns: of what arrives later nothing is there yet; from the begin of the test.
    """

    def __init__(self, case: Case, at_ns: int) -> None:
        values: dict[str, dict[Of, dict[int, float]]] = {}
        for series in case.input_series:
            _add(values, series.parsed[0], series.of, _at(case, series.values, 0))
        for late in case.late:
            if late.at <= at_ns:
                _add(values, late.parsed[0], late.of, _at(case, late.values, late.begins))
        self._derive(values)
        self._points = {
            name: {of: Points(points) for of, points in by_subject.items()}
            for name, by_subject in values.items()
        }
        self.now_ns = BEGIN_NS  # what begins later has not happened yet

    def end_ns(self, interval_ns: int) -> int:
        """Return where the decisions end, 0 before the first."""
        newest = (
            self.newest("decisions", of, 0, self.now_ns)[0] for of in self.subjects("decisions")
        )
        newest_ns = max(newest, default=0)
        return min(newest_ns + interval_ns, self.now_ns) if newest_ns else 0

    @property
    def arrived_ns(self) -> int:
        """Return when the newest data of all came, 0 before the first."""
        names = ("decisions", "spans", "arrivals")
        newest = (
            self.newest(name, of, 0, self.now_ns)[0] for name in names for of in self.subjects(name)
        )
        return max(newest, default=0)

    def _derive(self, values: dict[str, dict[Of, dict[int, float]]]) -> None:
        """Fill in what a test need not write: an interval without width, of equal losses."""
        losses = values.setdefault("loss_usd", {})
        for name in ("loss_low_usd", "loss_high_usd"):
            for of, points in losses.items():
                values.setdefault(name, {}).setdefault(of, dict(points))
        squared = values.setdefault("loss_squared", {})
        for of, points in losses.items():
            late = values.get("late", {}).get(of, {})
            decided = values.get("decisions", {}).get(of, {})
            squared.setdefault(
                of,
                {
                    at: loss**2 / max(late.get(at) or decided.get(at, 1), 1)
                    for at, loss in points.items()
                },
            )

    def rows(self, name: str, of: str, **parameters: str | int | Sequence[int]) -> list[Any]:
        """Return the rows that a statement would."""
        statement = _STATEMENTS.get(name)
        assert statement is not None, f"statement {name} has no made-up rows"
        return list(statement(self, parameters))

    def kept_rows(self, name: str, of: str, **parameters: str | int | Sequence[int]) -> list[Any]:
        """Return the same."""
        return self.rows(name, of, **parameters)

    def budget_factor(self, names: Iterable[str], from_ns: int, to_ns: int) -> Decimal:
        """Return one; a test happens at no date, so no calendar holds in it.

        Raises:
            InputError: a rule follows calendars.
        """
        followed = ", ".join(names)
        if followed:
            raise InputError(f"a test has no date: take calendars ({followed}) out of the rule")
        return Decimal(1)

    def subjects(self, *names: str) -> list[Of]:
        """Return the subjects that have any of these figures."""
        return sorted({of for name in names for of in self._points.get(name, {})})

    def total(self, name: str, of: Of, from_ns: int, to_ns: int) -> float:
        """Return the sum of a figure in [from, to)."""
        points = self._points.get(name, {}).get(of)
        return 0.0 if points is None else points.total(from_ns, to_ns)

    def newest(self, name: str, of: Of, from_ns: int, to_ns: int) -> tuple[int, float]:
        """Return the newest instant of a figure in [from, to) and its value, (0, 0) if none."""
        points = self._points.get(name, {}).get(of)
        return (0, 0.0) if points is None else points.newest(from_ns, to_ns)


def _at(case: Case, values: Iterable[float | None], begins: int) -> dict[int, float]:
    """Return values by the instant at which their interval begins, without those of a gap."""
    found = {}
    for number, value in enumerate(values):
        at = begins + number * case.interval
        if value is not None and not any(gap.begins <= at < gap.ends for gap in case.gap):
            found[BEGIN_NS + at] = value
    return found


def _add(
    values: dict[str, dict[Of, dict[int, float]]], name: str, of: Of, more: Mapping[int, float]
) -> None:
    points = values.setdefault(name, {}).setdefault(of, {})
    for at, value in more.items():
        points[at] = points.get(at, 0.0) + value


def _usd(amount: float) -> Decimal:
    return Decimal(repr(amount)).quantize(_MICRO)


Parameters = Mapping[str, Any]


def _loss_rings(cells: Cells, parameters: Parameters) -> Iterator[tuple[object, ...]]:
    edges = [parameters["end_ns"], *parameters["starts_ns"]]
    for of in cells.subjects("decisions"):
        for ring, (to_ns, from_ns) in enumerate(pairwise(edges)):
            decisions = round(cells.total("decisions", of, from_ns, to_ns))
            if not decisions:
                continue
            unvalued = round(cells.total("unvalued", of, from_ns, to_ns))
            has_value = decisions > unvalued
            yield (
                *of,
                ring,
                decisions,
                unvalued,
                *(
                    _usd(cells.total(name, of, from_ns, to_ns))
                    for name in ("loss_usd", "loss_low_usd", "loss_high_usd")
                ),
                cells.total("loss_squared", of, from_ns, to_ns),
                "margin" if has_value else "",
                "estimate" if has_value else "",
                cells.newest("decisions", of, from_ns, to_ns)[0],
                0,  # all that comes in a test is attributed, and by a slope that is known
                _usd(0.0),
            )


def _class_figures(cells: Cells, parameters: Parameters) -> Iterator[tuple[object, ...]]:
    window = parameters["from_ns"], parameters["end_ns"]
    for of in cells.subjects("decisions"):
        decisions = round(cells.total("decisions", of, *window))
        if decisions:
            counts = (round(cells.total(n, of, *window)) for n in ("late", "failed", "unvalued"))
            loss_usd = _usd(cells.total("loss_usd", of, *window))
            yield *of, decisions, *counts, loss_usd, 0, cells.newest("decisions", of, *window)[0]


def _slow_decisions(cells: Cells, parameters: Parameters) -> Iterator[tuple[object, ...]]:
    window = parameters["from_ns"], parameters["end_ns"]
    for of in cells.subjects("decisions"):
        decisions = round(cells.total("decisions", of, *window))
        if decisions:
            slow = round(cells.total("slow", of, *window))
            yield *of, decisions, slow, 0, cells.newest("decisions", of, *window)[0]


def _counted(name: str) -> Callable[[Cells, Parameters], Iterator[tuple[object, ...]]]:
    def rows(cells: Cells, parameters: Parameters) -> Iterator[tuple[object, ...]]:
        for of in cells.subjects(name):
            items = round(cells.total(name, of, parameters["from_ns"], parameters["end_ns"]))
            if items:
                yield of[0], items

    return rows


def _mean(counted: str, summed: str) -> Callable[[Cells, Parameters], Iterator[tuple[object, ...]]]:
    def rows(cells: Cells, parameters: Parameters) -> Iterator[tuple[object, ...]]:
        window = parameters["from_ns"], parameters["end_ns"]
        for of in cells.subjects(counted):
            count = round(cells.total(counted, of, *window))
            if count:
                newest_ns = cells.newest(counted, of, *window)[0]
                yield of[0], "", count, cells.total(summed, of, *window), newest_ns

    return rows


def _clock_errors(cells: Cells, parameters: Parameters) -> Iterator[tuple[object, ...]]:
    window = parameters["from_ns"], parameters["end_ns"]
    for of in cells.subjects("clock_error_ms"):
        at_ns, value = cells.newest("clock_error_ms", of, *window)
        if at_ns:
            yield of[0], round(value * NS_PER_MS)


def _arrivals(cells: Cells, parameters: Parameters) -> Iterator[tuple[object, ...]]:
    for of in cells.subjects("arrivals"):
        newest_ns = cells.newest("arrivals", of, 0, cells.now_ns)[0]
        if newest_ns > parameters["after_ns"]:
            yield of[0], newest_ns


def _span_rings(cells: Cells, parameters: Parameters) -> Iterator[tuple[object, ...]]:
    edges = [parameters["end_ns"], *parameters["starts_ns"]]
    for of in cells.subjects("spans"):
        if parameters["service"] not in ("", of[0]):
            continue
        for ring, (to_ns, from_ns) in enumerate(pairwise(edges)):
            spans = round(cells.total("spans", of, from_ns, to_ns))
            if spans:
                bad = round(cells.total("bad", of, from_ns, to_ns))
                yield of[0], ring, spans, bad, cells.newest("spans", of, from_ns, to_ns)[0]


_STATEMENTS: Final[Mapping[str, Callable[[Cells, Parameters], Iterator[tuple[object, ...]]]]] = {
    "loss_rings": _loss_rings,
    "class_figures": _class_figures,
    "slow_decisions": _slow_decisions,
    "cache_lookups": _mean("lookups", "hits"),
    "decision_costs": _mean("billed_decisions", "cost"),
    "rejected_items": _counted("rejected"),
    "unproven_events": _counted("unproven"),
    "bursts": _counted("microbursts"),
    "clock_errors": _clock_errors,
    "arrivals": _arrivals,
    "behind": lambda _cells, _parameters: iter(()),  # every clock of a test is right
    "span_rings": _span_rings,
}
