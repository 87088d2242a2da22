"""I/O: the first page: what is at risk, beside the path that the risk comes from."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from dash import Dash, Input, Output, State, dcc, html

from attribution.core.segments import CLASSES, SEGMENTS
from collector.core.clock import NS_PER_DAY, NS_PER_MINUTE, NS_PER_S
from dashboard.health.items import OUTCOMES, HealthItem
from dashboard.pages.alerts.lines import ALERT_COLUMNS, ROW_PX, alert_line
from dashboard.pages.context import PageContext, in_browser
from dashboard.pages.figures import decision_path, heatmap, quantile_ns, worst_segment
from dashboard.pages.overview.cards import (
    evidence_card,
    latency_card,
    risk_card,
    velocity_card,
    warned,
    within_card,
)
from dashboard.pages.parts import (
    Component,
    chart,
    grid,
    kpi,
    legend,
    page,
    panel,
    register_scope,
    scope_outputs,
    scope_tools,
    scope_view,
    table,
)
from dashboard.read.alerts.listing import listed_alerts, with_people
from dashboard.read.alerts.rows import OPEN_STATES, AlertRow
from dashboard.read.rows import Cell, Evidence, Range, Revenue, SegmentMeans
from dashboard.read.scope import Scope, parse_scope, step_of
from dashboard.units import UNKNOWN, count, ms, signed_ms, utc_clock

PATH = "/"
NAME = "overview"
TITLE = "Overview"
IN_MENU = True
TICK = "overview-tick"

# Decisions of this long before the window's end give the reference of each segment.
REFERENCE_WINDOW_NS = NS_PER_DAY
SCOPES_WINDOW_NS = NS_PER_DAY
# A window of which less is empty at its start is drawn whole.
EMPTY_SHARE_MAX = 0.25
DRAWN_NS_MIN = NS_PER_MINUTE
RECORDER = "packet.recorder"


@dataclass(frozen=True, slots=True)
class OverviewRead:
    """Everything that one reading of the page found."""

    scope: Scope
    seen: Range
    target_ns: int
    actions: list[str]
    regions: list[str]
    revenue: Revenue
    complete_ns: int  # up to when all that was received is attributed
    drawn_from_ns: int  # of the heatmap
    cells: list[Cell]
    alerts: list[AlertRow]
    evidence: Evidence
    path_of: Range
    observed: SegmentMeans | None
    reference: SegmentMeans | None
    reference_of: Range
    recorder: HealthItem | None
    contradiction: str  # of what every dollar rests on: outcomes.complete; "" where there is none


def layout(query: str, context: PageContext) -> Component:
    """Return the page as it stands before the first reading."""
    cards = (
        ("overview-p50", "Decision p50"),
        ("overview-within", "Within target"),
        ("overview-velocity", "Revenue velocity"),
        ("overview-risk", "Revenue at risk"),
        ("overview-evidence", "Packets and clocks"),
    )
    alerts = grid(
        "overview-alerts",
        ALERT_COLUMNS,
        420,
        "No alert is open, and none changed in this window.",
        label="Alerts by revenue at risk",
        options={"rowHeight": ROW_PX},
    )
    return page(
        NAME,
        TITLE,
        html.Div([kpi(*card) for card in cards], className="kpis"),
        html.Div(
            [
                panel("overview-alerts", "Alerts by revenue at risk", alerts, wide="span-7"),
                panel(
                    "overview-path",
                    "Reference decision path",
                    legend(*CLASSES),
                    *chart("overview-path", "Reference decision path", 330),
                    wide="span-5",
                ),
                panel(
                    "overview-heatmap",
                    "Decision latency",
                    *chart("overview-heatmap", "Decision latency over time", 280),
                    wide="span-12",
                ),
            ],
            className="panels",
        ),
        dcc.Interval(id=TICK, interval=round(context.config.refresh_s * 1000)),
        dcc.Store(id="overview-heatmap-go"),
        dcc.Store(id="overview-heatmap-range"),
        tools=scope_tools(NAME, parse_scope(query)),
    )


def register(app: Dash, context: PageContext) -> None:
    """Attach this page's callbacks to `app`."""

    def refresh(query: str | None, _ticks: int | None) -> dict[str, object]:
        return show(read(context, query or ""), context.prior_basis)

    inputs = [Input("url", "search"), Input(TICK, "n_intervals")]
    context.reading(app, OUTPUTS, inputs, refresh, tick=TICK)
    register_scope(app, NAME, TICK, context.clock)
    in_browser(
        app,
        "brush",
        Output("overview-heatmap-range", "data"),
        Input("overview-heatmap", "relayoutData"),
    )
    in_browser(
        app,
        "openCell",
        Output("overview-heatmap-go", "data"),
        Input("overview-heatmap", "clickData"),
        State("overview-heatmap", "figure"),
    )


OUTPUTS = (
    *scope_outputs(NAME),
    *(
        f"overview-{card}-{part}.children"
        for card in ("p50", "within", "velocity", "risk", "evidence")
        for part in ("value", "note")
    ),
    "overview-alerts.rowData",
    "overview-path.figure",
    "overview-path-box.aria-label",
    "overview-path-table.children",
    "overview-path-note.children",
    "overview-heatmap.figure",
    "overview-heatmap-note.children",
    "overview-heatmap-box.aria-label",
    "overview-heatmap-table.children",
)


def read(context: PageContext, query: str) -> OverviewRead:
    """Read the store once for the whole page, so that its panels agree on the time."""
    reader, reference = context.reader, context.reference
    scope = parse_scope(query)
    now_ns = context.clock.now_ns()
    seen = scope.range_at(now_ns)
    actions, regions = reader.scopes(max(0, seen.to_ns - SCOPES_WINDOW_NS), seen.to_ns)
    alerts = with_people(listed_alerts(reader, seen), context.alert_state, now_ns)
    path_of = path_range(seen, alerts)
    lookback = dataclasses.replace(
        path_of, from_ns=max(0, seen.to_ns - REFERENCE_WINDOW_NS), to_ns=seen.to_ns
    )
    expected = reader.reference_means(lookback, reference)
    if expected is None and lookback.region:
        # Nothing there has ever met its target; the same action elsewhere shows what is possible.
        lookback = dataclasses.replace(lookback, region="")
        expected = reader.reference_means(lookback, reference)
    health = context.health.health()
    revenue = reader.revenue(seen)
    drawn_from_ns = drawn_from(seen, revenue.first_ns)
    return OverviewRead(
        scope=scope,
        seen=seen,
        target_ns=reference.of(scope.action),
        actions=actions,
        regions=regions,
        revenue=revenue,
        complete_ns=context.complete_ns(context.clock.now_ns()),
        drawn_from_ns=drawn_from_ns,
        cells=reader.latency_cells(seen, step_of(seen.to_ns - drawn_from_ns)),
        alerts=alerts,
        evidence=reader.evidence(seen),
        path_of=path_of,
        observed=reader.segment_means(path_of),
        reference=expected,
        reference_of=lookback,
        recorder=next((item for item in health if item.name == RECORDER), None),
        contradiction=next((item.detail for item in health if item.name == OUTCOMES), ""),
    )


def path_range(seen: Range, alerts: Sequence[AlertRow]) -> Range:
    """Return which decisions the path shows: those of the pickers, else of the dearest open alert.

    An incident of one region would drown in the mean over all of them; from the instant at which
    the alert began, so that the time before it does not dilute it either.
    """
    if seen.action or seen.region:
        return seen
    dearest = (a for a in alerts if a.is_about_decisions and a.state in OPEN_STATES)
    top = next(dearest, None)
    if top is None:
        return seen
    began_ns = (top.started_ns or top.first_ns) - top.window_s * NS_PER_S // 2
    from_ns = min(max(seen.from_ns, began_ns), seen.to_ns)
    return Range(from_ns, seen.to_ns, *top.scope)


def drawn_from(seen: Range, first_ns: int) -> int:
    """Return where the heatmap begins: at the first decision where much of the window is before it.

    A service that is up for a minute would show its minute in a fifteenth of the figure.
    """
    begins_ns = min(first_ns, seen.to_ns - DRAWN_NS_MIN)
    is_empty = begins_ns - seen.from_ns > (seen.to_ns - seen.from_ns) * EMPTY_SHARE_MAX
    return begins_ns if first_ns and is_empty else seen.from_ns


def show(found: OverviewRead, prior_basis: str) -> dict[str, object]:
    """Return what was read: a value for each of OUTPUTS."""
    top = next((alert for alert in found.alerts if alert.state in OPEN_STATES), None)
    blamed = (top.blamed_stage, top.blamed_class) if top is not None else None
    return {
        **scope_view(
            NAME, found.scope, found.actions, found.regions, found.seen.to_ns, found.complete_ns
        ),
        **_cards(found, prior_basis),
        "overview-alerts.rowData": [alert_line(alert) for alert in found.alerts],
        "overview-path.figure": decision_path(found.observed, found.reference, blamed),
        "overview-path-box.aria-label": path_summary(found.observed, found.reference),
        "overview-path-table.children": _path_table(found.observed, found.reference),
        "overview-path-note.children": _path_note(found),
        "overview-heatmap.figure": heatmap(
            found.cells,
            found.seen,
            step_of(found.seen.to_ns - found.drawn_from_ns),
            found.target_ns,
            drawn_from_ns=found.drawn_from_ns,
            frozen=str(found.scope.until_ns or ""),
        ),
        "overview-heatmap-note.children": _heat_note(found),
        "overview-heatmap-box.aria-label": heat_summary(found.cells, found.seen),
        "overview-heatmap-table.children": _heat_table(found.cells),
    }


def path_summary(observed: SegmentMeans | None, reference: SegmentMeans | None) -> str:
    """Return the path's figure in a sentence."""
    if observed is None:
        return "Reference decision path: no attributed decision in this window."
    text = f"Reference decision path over {count(observed.decisions)} decisions: mean "
    text += ms(observed.total_ns)
    if reference is None:
        return text + "; no decision met its target, so there is no reference."
    text += f" against {ms(reference.total_ns)}"
    worst = worst_segment(observed, reference)
    if worst is None:
        return text + "; no segment stands out."
    excess = observed.segments_ns[worst] - reference.segments_ns[worst]
    return text + f"; {'/'.join(SEGMENTS[worst])} stands out by {signed_ms(excess)}."


def heat_summary(cells: Sequence[Cell], seen: Range) -> str:
    """Return the heatmap in a sentence."""
    middle, tail = quantile_ns(cells, 0.5), quantile_ns(cells, 0.99)
    if middle is None or tail is None:
        return "Decision latency: no decision in this window."
    decisions = count(sum(cell.decisions for cell in cells))
    return (
        f"Decision latency of {decisions} decisions from {utc_clock(seen.from_ns)} to "
        f"{utc_clock(seen.to_ns)} UTC: median {ms(middle)}, 99th percentile {ms(tail)}."
    )


def _cards(found: OverviewRead, prior_basis: str) -> dict[str, object]:
    values: dict[str, tuple[str, Component]] = {
        "p50": latency_card(found.cells, found.target_ns),
        "within": within_card(found.revenue),
        "velocity": warned(velocity_card(found.revenue), found.contradiction),
        "risk": warned(risk_card(found.revenue, prior_basis), found.contradiction),
        "evidence": evidence_card(found.evidence, found.recorder),
    }
    return {
        f"overview-{card}-{part}.children": text
        for card, texts in values.items()
        for part, text in zip(("value", "note"), texts, strict=True)
    }


def _path_note(found: OverviewRead) -> str:
    decisions = found.observed.decisions if found.observed else 0
    of = " · ".join(part for part in (found.path_of.action, found.path_of.region) if part)
    why = " (dearest open alert)" if found.path_of != found.seen else ""
    elsewhere = " in any region" if found.reference_of.region != found.path_of.region else ""
    reference = (
        f"grey: {count(found.reference.decisions)} that met their target in 24 h{elsewhere}"
        if found.reference
        else "no decision met its target: no reference"
    )
    return f"{of or 'all decisions'}{why} · {count(decisions)} decisions · {reference}"


def _path_table(observed: SegmentMeans | None, reference: SegmentMeans | None) -> Component:
    if observed is None:
        return "No attributed decision in this window."
    expected = reference.segments_ns if reference else [None] * len(SEGMENTS)
    rows = [
        (
            "/".join(segment),
            ms(seen, 3),
            UNKNOWN if base is None else ms(base, 3),
            UNKNOWN if base is None else signed_ms(seen - base),
        )
        for segment, seen, base in zip(SEGMENTS, observed.segments_ns, expected, strict=True)
    ]
    return table(("Segment", "Observed", "Reference", "Excess"), rows, numeric=(1, 2, 3))


def _heat_note(found: OverviewRead) -> str:
    note = "Click a cell to list its decisions."
    if found.drawn_from_ns == found.seen.from_ns:
        return note
    return f"{note} None before {utc_clock(found.revenue.first_ns)} in this window."


def _heat_table(cells: Sequence[Cell]) -> Component:
    columns: dict[int, list[Cell]] = {}
    for cell in cells:
        columns.setdefault(cell.column_ns, []).append(cell)
    rows = [
        (
            utc_clock(column_ns),
            count(sum(cell.decisions for cell in mine)),
            *(ms(quantile_ns(mine, share) or 0) for share in (0.5, 0.95, 0.99)),
        )
        for column_ns, mine in sorted(columns.items(), reverse=True)
    ]
    return table(("From (UTC)", "Decisions", "p50", "p95", "p99"), rows, numeric=(1, 2, 3, 4))
