"""I/O: a list of decisions, newest or slowest first, and the search for one."""

from __future__ import annotations

from urllib.parse import urlencode

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, dcc, html

from attribution.core.segments import SEGMENTS
from collector.core.clock import NS_PER_DAY, NS_PER_MS
from dashboard.pages.context import PageContext, in_browser
from dashboard.pages.parts import (
    Component,
    grid,
    page,
    panel,
    register_scope,
    scope_outputs,
    scope_tools,
    scope_view,
)
from dashboard.read.rows import DecisionFacts, ListedDecision
from dashboard.read.scope import Scope, parse_scope
from dashboard.units import count, ms, utc_iso

PATH = "/decision"
NAME = "decisions"
TITLE = "Decisions"
IN_MENU = True
TICK = "decisions-tick"
ROWS_MAX = 200
SCOPES_WINDOW_NS = NS_PER_DAY

_COLUMNS = [
    {
        "field": "decision",
        "headerName": "Decision",
        "minWidth": 150,
        "flex": 2,
        "cellRenderer": "DecisionLink",
    },
    {"field": "at", "headerName": "Ingress (UTC)", "width": 196},
    {"field": "action", "headerName": "Action", "width": 120},
    {"field": "region", "headerName": "Region", "width": 104},
    {
        "field": "total_ms",
        "headerName": "Latency ms",
        "width": 110,
        "type": "rightAligned",
        "valueFormatter": {"function": "d3.format(',.1f')(params.value)"},
    },
    {"field": "worst", "headerName": "Largest segment", "minWidth": 200, "flex": 1},
    {"field": "packets", "headerName": "Packets", "width": 88},
    {"field": "state", "headerName": "State", "width": 92},
]
OUTPUTS = (*scope_outputs(NAME), "decisions-list.rowData", "decisions-note.children")


def layout(query: str, context: PageContext) -> Component:
    """Return the page as it stands before the first reading."""
    scope = parse_scope(query)
    search = dmc.TextInput(
        id="decisions-search",
        value=scope.search,
        placeholder="Decision id, trace id or outcome key, then Enter",
        size="xs",
        className="search",
        **{"aria-label": "Find a decision by its id, its trace or its outcome key"},
    )
    order = dmc.SegmentedControl(
        id="decisions-order",
        data=[{"value": "newest", "label": "Newest"}, {"value": "slowest", "label": "Slowest"}],
        value="slowest" if scope.slowest else "newest",
        size="xs",
        **{"aria-label": "Order"},
    )
    listing = grid(
        "decisions-list",
        _COLUMNS,
        560,
        "No decision matches. Widen the window, clear the filters, or look at Health.",
        label="Decisions",
    )
    return page(
        NAME,
        TITLE,
        panel(
            "decisions",
            "Attributed decisions",
            html.Div([search, order], className="tools"),
            listing,
        ),
        dcc.Store(id="decisions-go"),
        dcc.Interval(id=TICK, interval=round(context.config.refresh_s * 1000)),
        tools=scope_tools(NAME, scope),
    )


def register(app: Dash, context: PageContext) -> None:
    """Attach this page's callbacks to `app`."""

    def refresh(query: str | None, _ticks: int | None) -> dict[str, object]:
        return read(context, parse_scope(query))

    inputs = [Input("url", "search"), Input(TICK, "n_intervals")]
    context.reading(app, OUTPUTS, inputs, refresh, tick=TICK)
    register_scope(app, NAME, TICK, context.clock)
    in_browser(
        app,
        "search",
        Output("decisions-go", "data"),
        Input("decisions-search", "n_submit"),
        Input("decisions-order", "value"),
        State("decisions-search", "value"),
    )


def read(context: PageContext, scope: Scope) -> dict[str, object]:
    """Read what the page shows: a value for each of OUTPUTS."""
    reader = context.reader
    seen = scope.range_at(context.clock.now_ns())
    actions, regions = reader.scopes(max(0, seen.to_ns - SCOPES_WINDOW_NS), seen.to_ns)
    if scope.search:
        ids = reader.decision_ids(scope.search)
        known = [facts for facts in map(reader.decision, ids) if facts is not None]
        lines = [found_line(facts) for facts in known]
        note = f"{count(len(lines))} found at any time for “{scope.search}”"
    else:
        low_ns, high_ns = scope.latency_ns
        listed = reader.decisions(
            seen, low_ns=low_ns, high_ns=high_ns, slowest=scope.slowest, rows_max=ROWS_MAX
        )
        lines = [listed_line(decision) for decision in listed]
        note = f"{count(len(lines))} of the window" + _bounds(scope)
        note += f", the first {ROWS_MAX}" if len(lines) == ROWS_MAX else ""
    return {
        **scope_view(
            NAME, scope, actions, regions, seen.to_ns, context.complete_ns(context.clock.now_ns())
        ),
        "decisions-list.rowData": lines,
        "decisions-note.children": note,
    }


def listed_line(decision: ListedDecision) -> dict[str, object]:
    """Return one row of the list."""
    worst = "/".join(SEGMENTS[decision.worst - 1])
    return {
        "id": decision.decision_id,
        "decision": decision.decision_id,
        "href": decision_href(decision.decision_id),
        "at": _instant(decision.ingress_ns),
        "action": decision.action,
        "region": decision.region,
        "total_ms": decision.total_ns / NS_PER_MS,
        "worst": f"{worst} {ms(decision.worst_ns)}",
        "packets": "linked" if decision.packets else "none",
        "state": "error" if decision.is_error else "ok",
    }


def found_line(facts: DecisionFacts) -> dict[str, object]:
    """Return one row for a decision that was searched for, attributed or not."""
    return {
        "id": facts.decision_id,
        "decision": facts.decision_id,
        "href": decision_href(facts.decision_id),
        "at": _instant(facts.ingress_ns),
        "action": facts.action,
        "region": facts.region,
        "total_ms": (facts.end_ns - facts.ingress_ns) / NS_PER_MS,
        "worst": "see the decision",
        "packets": "see the decision",
        "state": "error" if facts.is_error else "ok",
    }


def decision_href(decision_id: str) -> str:
    """Return the address of one decision's page."""
    return f"/decision?{urlencode({'id': decision_id})}"


def _instant(ns: int) -> str:
    return utc_iso(ns).replace("T", " ")


def _bounds(scope: Scope) -> str:
    if scope.low_ms is None and scope.high_ms is None:
        return ""
    low = "" if scope.low_ms is None else f" from {scope.low_ms:.1f} ms"
    high = "" if scope.high_ms is None else f" under {scope.high_ms:.1f} ms"
    return f", latency{low}{high}"
