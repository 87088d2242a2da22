"""Pure: what a page is narrowed to, as chips: each is removed by a click, and says what is wrong.

One component for every page that has a scope. A page whose reader cannot filter by a dimension says
so on the chip, and keeps it for the next page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from dash import dcc, html

from attribution.core.segments import CLASSES, SEGMENTS, STAGES, segments_of
from collector.core.errors import InputError
from collector.core.times import NS_PER_S
from dashboard.read.rows import Attributed
from dashboard.read.scope import Scope, format_scope
from dashboard.units import shorten

Component = Any
DIMENSIONS: Final = ("action", "region", "channel", "service", "cohort", "segment")
_CLASS: Final = ("action", "region")
# By page: the only dimensions that it can be narrowed by, and why not by others.
_NARROWED_BY: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "overview": (_CLASS, "money and alerts are kept by action and region"),
    "alerts": (_CLASS, "an alert is of an action and a region"),
    "budgets": ((*_CLASS, "channel"), "a budget is of an action, a region and a channel"),
    "velocity": (_CLASS, "a model is of an action and a region"),
    "network": (_CLASS, "what packets prove is kept by decision, without it"),
    "trust": ((), "seals, clocks and the audit are of all decisions"),
}
_TEXT_MAX: Final = 40


def chips(name: str, scope: Scope, offered: Mapping[str, Sequence[str]]) -> list[Component]:
    """Return a chip for each filter of an address, and a line for each part that is not readable.

    Args:
        name: of the page.
        scope: as its address says it.
        offered: the values that decisions have lately, by dimension; of one that is not there or
            has none, nothing is said.
    """
    chips_of = [
        _chip(dimension, value, _without(scope, dimension), _fault(name, dimension, value, offered))
        for dimension in DIMENSIONS
        if (value := _value(scope, dimension))
    ]
    if scope.low_ms is not None or scope.high_ms is not None:
        bare = replace(scope, low_ms=None, high_ms=None)
        # Of a latency there is no list of values.
        chips_of.append(
            _chip(
                "latency",
                _latency(scope.low_ms, scope.high_ms),
                bare,
                _fault(name, "latency", "", {}),
            )
        )
    return chips_of + [
        html.Span(fault, className="chip-fault", role="alert") for fault in scope.faults
    ]


def way_to_decisions(name: str, scope: Scope, to_ns: int, attributed: Attributed) -> Component:
    """Return the way to the first decision, or to the newest where all lie before a range; else "".

    Args:
        name: of the page.
        scope: as its address says it.
        to_ns: where the range ends.
        attributed: what there is.
    """
    newest_ns = attributed.newest_ns
    # Where the job has run and found none, it has come as far as now.
    if attributed.is_empty:
        # The Overview has it itself.
        if name == "overview":
            return ""
        state, text, query = "No decision is here yet.", "See how to send the first one", "/"
    elif newest_ns < to_ns - scope.window_ns:
        until_ns = newest_ns - newest_ns % NS_PER_S + NS_PER_S
        state = (
            f"Every decision is older: the newest began {scope.zone.dated_at(newest_ns, to_ns)}."
        )
        text, query = "Look there", format_scope(replace(scope, until_ns=until_ns))
    else:
        return ""
    return html.Span(
        [f"{state} ", dcc.Link(text, href=query), "."], className="chip-first", role="status"
    )


def choices(offered: Mapping[str, Sequence[str]]) -> list[dict[str, object]]:
    """Return what may be added, in groups; a value is `dimension=value`."""
    stage_and_class = ["/".join(segment) for segment in SEGMENTS]
    named = {**offered, "segment": [*CLASSES, *STAGES, *stage_and_class]}
    return [
        {
            "group": dimension.capitalize(),
            "items": [{"value": f"{dimension}={value}", "label": value} for value in values],
        }
        for dimension, values in named.items()
        if values
    ]


def _latency(low_ms: float | None, high_ms: float | None) -> str:
    if low_ms is None:
        return f"under {high_ms:g} ms"
    return f"from {low_ms:g} ms" if high_ms is None else f"{low_ms:g} to {high_ms:g} ms"


def _value(scope: Scope, dimension: str) -> str:
    if dimension in _CLASS:
        return scope.action if dimension == "action" else scope.region
    return scope.filter(dimension)


def _without(scope: Scope, dimension: str) -> Scope:
    """Return a scope without one filter."""
    filters = tuple(each for each in scope.filters if each[0] != dimension)
    return replace(
        scope,
        action="" if dimension == "action" else scope.action,
        region="" if dimension == "region" else scope.region,
        filters=filters,
    )


def _fault(name: str, dimension: str, value: str, known: Mapping[str, Sequence[str]]) -> str:
    """Return what is wrong with a filter here, "" for nothing."""
    narrowed_by, reason = _NARROWED_BY.get(name, (DIMENSIONS, ""))
    if reason and dimension not in narrowed_by:
        return f"not applied here: {reason}"
    if dimension == "segment":
        try:
            segments_of(value)
        except InputError:
            return "names no segment"
    values = known.get(dimension)
    if values and value not in values:
        return "no decision has it"
    return ""


def _chip(dimension: str, value: str, without: Scope, fault: str) -> Component:
    text = f"{dimension}: {shorten(value, _TEXT_MAX)}"
    query = format_scope(without) or "?"
    remove = dcc.Link(
        [
            html.Span("×", **{"aria-hidden": "true"}),  # noqa: RUF001  known as the sign for it
            html.Span(f"Remove {text}", className="unseen"),
        ],
        href=query,
        className="chip-remove",
        title=f"Remove {dimension} {value}",
    )
    said = [html.Span(f" ({fault})", className="chip-why")] if fault else []
    return html.Span(
        [html.Span(text, title=value), *said, remove],
        className="chip chip-off" if fault else "chip",
    )
