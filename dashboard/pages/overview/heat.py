"""I/O: the panel of latency over time, with alerts as bands; and the tiles that rest on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from collector.core.times import NS_PER_MINUTE, NS_PER_MS, NS_PER_S
from dashboard.health.items import HealthItem
from dashboard.pages.charts.figures import Band, counted_ns, heatmap, quantile_ns, quantile_text
from dashboard.pages.context import PageContext
from dashboard.pages.overview.cards import evidence_card, latency_card
from dashboard.pages.overview.top import TopReading
from dashboard.pages.parts import Cell as TableCell
from dashboard.pages.parts import Component, table
from dashboard.read.rows import Cell, Evidence, Range
from dashboard.read.scope import Scope, format_scope, step_of
from dashboard.units import count, counted

# A window of which less is empty at its start is drawn whole.
EMPTY_SHARE_MAX = 0.25
DRAWN_NS_MIN = NS_PER_MINUTE
RECORDER = "packet.recorder"
BANDS_MAX: Final = 20
_WHAT_MAX: Final = 500
OUTPUTS = (
    "overview-latency-value.children",
    "overview-latency-note.children",
    "overview-evidence-value.children",
    "overview-evidence-note.children",
    "overview-heatmap.figure",
    "overview-heatmap-note.children",
    "overview-heatmap-box.aria-label",
    "overview-heatmap-table.children",
)


@dataclass(frozen=True, slots=True)
class HeatRead:
    """Everything that one reading of the panel found."""

    scope: Scope
    view: Range
    target_ns: int
    drawn_from_ns: int
    first_ns: int  # of the decisions of the window, 0 without any
    cells: list[Cell]
    bands: list[Band]
    evidence: Evidence
    now_ns: int
    recorder: HealthItem | None


def read(context: PageContext, scope: Scope, top: TopReading) -> HeatRead:
    """Read the panel over the range of the alerts that were read before it."""
    view = scope.range_at(top.to_ns)
    drawn_from_ns = drawn_from(view, top.first_ns)
    health = context.items()
    return HeatRead(
        scope=scope,
        view=view,
        target_ns=context.reference.target_ns(scope.action),
        drawn_from_ns=drawn_from_ns,
        first_ns=top.first_ns,
        cells=context.reader.latency_cells(view, step_of(view.to_ns - drawn_from_ns)),
        bands=bands(top, view, drawn_from_ns),
        evidence=context.evidence(view),
        now_ns=context.clock.now_ns(),
        recorder=next((item for item in health if item.name == RECORDER), None),
    )


def bands(top: TopReading, view: Range, drawn_from_ns: int) -> list[Band]:
    """Return when alerts fired on what is looked at; those that overlap are one band."""
    merged: list[Band] = []
    alerts = [
        alert
        for alert in top.alerts
        if alert.is_band and view.action in ("", alert.action) and view.region in ("", alert.region)
    ]
    for alert in sorted(alerts, key=lambda alert: alert.since_ns):
        from_ns = max(alert.since_ns, drawn_from_ns)
        to_ns = min(alert.until_ns or view.to_ns, view.to_ns)
        if from_ns >= to_ns:
            continue
        if merged and from_ns <= merged[-1].to_ns:
            last = merged.pop()
            what = last.what if alert.cause in last.what else f"{last.what}; {alert.cause}"
            merged.append(Band(last.from_ns, max(last.to_ns, to_ns), what[:_WHAT_MAX]))
        else:
            merged.append(Band(from_ns, to_ns, alert.cause))
    return merged[:BANDS_MAX]


def show(heat: HeatRead) -> Mapping[str, Any]:
    """Return a value for each of OUTPUTS."""
    latency = latency_card(heat.cells, heat.target_ns, heat.scope.window)
    evidence = evidence_card(heat.evidence, heat.recorder)
    return {
        "overview-latency-value.children": latency[0],
        "overview-latency-note.children": latency[1],
        "overview-evidence-value.children": evidence[0],
        "overview-evidence-note.children": evidence[1],
        "overview-heatmap.figure": heatmap(
            heat.cells,
            heat.view,
            step_of(heat.view.to_ns - heat.drawn_from_ns),
            heat.target_ns,
            heat.scope.zone.axis(heat.view.to_ns),
            drawn_from_ns=heat.drawn_from_ns,
            frozen=str(heat.scope.until_ns or ""),
            bands=heat.bands,
        ),
        "overview-heatmap-note.children": _heat_note(heat),
        "overview-heatmap-box.aria-label": heat_summary(heat),
        "overview-heatmap-table.children": _heat_table(heat),
    }


def drawn_from(view: Range, first_ns: int) -> int:
    """Return where the heatmap begins: at the first decision where much of the window is before it.

    A service that is up for a minute would show its minute in a fifteenth of the figure.
    """
    begins_ns = min(first_ns, view.to_ns - DRAWN_NS_MIN)
    is_empty = begins_ns - view.from_ns > (view.to_ns - view.from_ns) * EMPTY_SHARE_MAX
    return begins_ns if first_ns and is_empty else view.from_ns


def heat_summary(heat: HeatRead) -> str:
    """Return the heatmap in a sentence."""
    cells, zone = heat.cells, heat.scope.zone
    middle, tail = quantile_ns(cells, 0.5), quantile_ns(cells, 0.99)
    if middle is None or tail is None:
        return "Decision latency: no decision in this window."
    decisions = counted(sum(cell.decisions for cell in cells), "decision")
    begin = zone.dated(heat.view.from_ns, heat.now_ns)
    end = zone.dated_at(heat.view.to_ns, heat.now_ns)
    return (
        f"Decision latency of {decisions} from {begin} to {end}: "
        f"median {quantile_text(middle)}, 99th percentile {quantile_text(tail)}."
    )


def _heat_note(heat: HeatRead) -> str:
    note = "Click a cell to list its decisions."
    if heat.bands:
        note += " Bands: alerts fire."
    if heat.drawn_from_ns == heat.view.from_ns:
        return note
    first = heat.scope.zone.dated(heat.first_ns, heat.now_ns)
    return f"{note} None before {first} in this window."


def _column_href(heat: HeatRead, column_ns: int) -> str:
    """Return the list of the decisions of a column, as a click on a cell of it does of the cell."""
    step_ns = step_of(heat.view.to_ns - heat.drawn_from_ns)
    is_frozen = heat.scope.until_ns is not None
    seen_from_ns, seen_to_ns = counted_ns(heat.view, step_ns, is_frozen=is_frozen)
    from_ns = max(column_ns, seen_from_ns)
    # An address ends at a whole millisecond.
    to_ns = -(-min(column_ns + step_ns, seen_to_ns) // NS_PER_MS) * NS_PER_MS
    filters = [each for each in heat.scope.filters if each[0] != "sort"]
    return "/decisions" + format_scope(
        replace(
            heat.scope,
            window=f"{Decimal(to_ns - from_ns) / NS_PER_S:f}s",
            until_ns=to_ns,
            filters=(*filters, ("sort", "slowest")),
        )
    )


def _heat_table(heat: HeatRead) -> Component:
    columns: dict[int, list[Cell]] = {}
    zone = heat.scope.zone
    for cell in heat.cells:
        columns.setdefault(cell.column_ns, []).append(cell)
    rows: list[tuple[str | TableCell, ...]] = [
        (
            TableCell(zone.dated(column_ns, heat.now_ns), href=_column_href(heat, column_ns)),
            count(sum(cell.decisions for cell in mine)),
            *(quantile_text(quantile_ns(mine, share) or 1) for share in (0.5, 0.95, 0.99)),
        )
        for column_ns, mine in sorted(columns.items(), reverse=True)
    ]
    return table(
        (f"From ({zone.city})", "Decisions", "p50", "p95", "p99"), rows, numeric=(1, 2, 3, 4)
    )
