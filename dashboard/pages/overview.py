"""I/O: the first page: what is at risk, beside the path that the risk comes from."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlencode

from dash import Dash, Input, dcc, html

from collector.clock import NS_PER_S
from dashboard.cards import (
    evidence_card,
    latency_card,
    risk_card,
    velocity_card,
    within_card,
)
from dashboard.figures import decision_path, heatmap, quantile_ns, worst_segment
from dashboard.health_items import HealthItem
from dashboard.pages.context import PageContext
from dashboard.pages.parts import (
    Component,
    chart,
    grid,
    kpi,
    legend,
    page,
    panel,
    scope_outputs,
    scope_tools,
    scope_view,
    table,
)
from dashboard.queries import alerts_with_exemplars
from dashboard.rows import CLASSES, SEGMENTS, AlertRow, Cell, Evidence, Range, Revenue, SegmentMeans
from dashboard.scope import Scope, parse_scope
from dashboard.text import UNKNOWN, count, ms, signed_ms, usd, utc_clock

PATH = "/"
NAME = "overview"
TITLE = "Overview"
TICK = "overview-tick"

# Decisions of this long before the window's end give the reference of each segment.
REFERENCE_WINDOW_NS = 24 * 3600 * NS_PER_S
SCOPES_WINDOW_NS = 24 * 3600 * NS_PER_S
OPEN_STATES = ("pending", "firing", "cooling", "unknown")
RECORDER = "packet.recorder"

_ALERT_COLUMNS = [
    {
        "field": "what",
        "headerName": "What",
        "minWidth": 150,
        "flex": 1,
        "cellRenderer": "AlertLink",
        "tooltipField": "reason",
    },
    {
        "field": "usd_per_h",
        "headerName": "$ / h at risk",
        "width": 152,
        "type": "rightAligned",
        "sort": "desc",
        "cellRenderer": "TwoLines",
        "cellRendererParams": {"first": "at_risk", "second": "interval"},
    },
    {
        "field": "blamed",
        "headerName": "Blamed",
        "width": 130,
        "cellRenderer": "TwoLines",
        "cellRendererParams": {"first": "blamed", "second": "excess"},
    },
    {
        "field": "since",
        "headerName": "Since (UTC)",
        "width": 108,
        "cellRenderer": "TagAndLine",
        "cellRendererParams": {"tag": "state", "second": "since"},
    },
]


@dataclass(frozen=True, slots=True)
class OverviewRead:
    """Everything that one reading of the page found."""

    scope: Scope
    seen: Range
    target_ns: int
    actions: list[str]
    regions: list[str]
    revenue: Revenue
    cells: list[Cell]
    alerts: list[AlertRow]
    evidence: Evidence
    path_of: Range
    observed: SegmentMeans | None
    reference: SegmentMeans | None
    reference_of: Range
    recorder: HealthItem | None


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
        _ALERT_COLUMNS,
        420,
        "No alert is open, and none changed in this window.",
        label="Alerts by revenue at risk",
        options={"rowHeight": 52},
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
                    note="Click a cell to list its decisions.",
                    wide="span-12",
                ),
            ],
            className="panels",
        ),
        dcc.Interval(id=TICK, interval=round(context.config.refresh_s * 1000)),
        dcc.Store(id="overview-heatmap-go"),
        tools=scope_tools(NAME, parse_scope(query)),
    )


def register(app: Dash, context: PageContext) -> None:
    """Attach this page's callbacks to `app`."""

    def refresh(query: str | None, _ticks: int | None) -> dict[str, object]:
        return show(read(context, query or ""), context.prior_basis)

    inputs = [Input("url", "search"), Input(TICK, "n_intervals")]
    context.reading(app, OUTPUTS, inputs, refresh, tick=TICK)


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
    "overview-heatmap-box.aria-label",
    "overview-heatmap-table.children",
)


def read(context: PageContext, query: str) -> OverviewRead:
    """Read the store once for the whole page, so that its panels agree on the time."""
    reader, reference = context.reader, context.reference
    scope = parse_scope(query)
    seen = scope.range_at(context.clock.now_ns())
    actions, regions = reader.scopes(max(0, seen.to_ns - SCOPES_WINDOW_NS), seen.to_ns)
    alerts = alerts_with_exemplars(reader, seen, reference)
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
    return OverviewRead(
        scope=scope,
        seen=seen,
        target_ns=reference.of(scope.action),
        actions=actions,
        regions=regions,
        revenue=reader.revenue(seen),
        cells=reader.latency_cells(seen, scope.step_ns),
        alerts=alerts,
        evidence=reader.evidence(seen),
        path_of=path_of,
        observed=reader.segment_means(path_of),
        reference=expected,
        reference_of=lookback,
        recorder=next((item for item in health if item.name == RECORDER), None),
    )


def path_range(seen: Range, alerts: Sequence[AlertRow]) -> Range:
    """Return which decisions the path shows: those of the pickers, else of the dearest open alert.

    An incident of one region would drown in the mean over all of them; from the instant at which
    the alert began, so that the time before it does not dilute it either.
    """
    if seen.action or seen.region:
        return seen
    top = next((alert for alert in alerts if alert.state in OPEN_STATES), None)
    if top is None:
        return seen
    began_ns = (top.started_ns or top.first_ns) - top.window_s * NS_PER_S // 2
    from_ns = min(max(seen.from_ns, began_ns), seen.to_ns)
    return Range(from_ns, seen.to_ns, top.action, top.region)


def show(found: OverviewRead, prior_basis: str) -> dict[str, object]:
    """Say what was read: a value for each of OUTPUTS."""
    top = next((alert for alert in found.alerts if alert.state in OPEN_STATES), None)
    blamed = (top.blamed_stage, top.blamed_class) if top is not None else None
    return {
        **scope_view(NAME, found.scope, found.actions, found.regions, found.seen.to_ns),
        **_cards(found, prior_basis),
        "overview-alerts.rowData": [alert_line(alert) for alert in found.alerts],
        "overview-path.figure": decision_path(found.observed, found.reference, blamed),
        "overview-path-box.aria-label": path_summary(found.observed, found.reference),
        "overview-path-table.children": _path_table(found.observed, found.reference),
        "overview-path-note.children": _path_note(found),
        "overview-heatmap.figure": heatmap(
            found.cells, found.seen, found.scope.step_ns, found.target_ns
        ),
        "overview-heatmap-box.aria-label": heat_summary(found.cells, found.seen),
        "overview-heatmap-table.children": _heat_table(found.cells),
    }


def alert_line(alert: AlertRow) -> dict[str, object]:
    """Return one row of the grid of alerts."""
    scope = " · ".join(part for part in (alert.action, alert.region) if part)
    # At risk is the rate of the short window; the slope's spread is that of the long one.
    scale = alert.revenue_at_risk_usd_per_h / alert.loss_usd if alert.loss_usd else Decimal(0)
    low, high = alert.loss_low_usd * scale, alert.loss_high_usd * scale
    return {
        "id": alert.episode_id,
        "severity": alert.severity,
        "what": alert.rule,
        "scope": scope or "everything",
        "href": f"/decision?{urlencode({'id': alert.exemplar})}" if alert.exemplar else "",
        "usd_per_h": float(alert.revenue_at_risk_usd_per_h),
        "at_risk": usd(alert.revenue_at_risk_usd_per_h),
        "interval": f"{usd(low)} to {usd(high)}",
        "blamed": f"{alert.blamed_stage}/{alert.blamed_class}" if alert.blamed_stage else "none",
        "excess": f"{signed_ms(alert.blamed_excess_ns)} each" if alert.blamed_stage else "",
        "since": utc_clock(alert.started_ns or alert.first_ns),
        "state": alert.state,
        "reason": f"{alert.reason} (basis: {alert.basis}, as of {utc_clock(alert.at_ns)} UTC)",
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
        "velocity": velocity_card(found.revenue),
        "risk": risk_card(found.revenue, prior_basis),
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
