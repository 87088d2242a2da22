"""I/O: the list of decisions: any filter, one order over all of them, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlencode

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, dcc, html
from dash.exceptions import PreventUpdate

from attribution.core.segments import CLASSES
from collector.core.errors import InputError
from dashboard.pages.context import PageContext, in_browser
from dashboard.pages.decisions.lines import (
    COLUMNS,
    csv_words,
    found_line,
    listed_lines,
    totals_line,
)
from dashboard.pages.parts import Component, choices, grid, page, panel, picker, zoned
from dashboard.pages.scope.tools import register_scope, scope_outputs, scope_tools, scope_view
from dashboard.pages.states import SHARED_S, Reading, answering, state, state_outputs
from dashboard.read.decisions.filter import DecisionFilter, Order, PageCursor, parse_cursor
from dashboard.read.decisions.listing import FilterValues
from dashboard.read.scope import Scope, format_scope, latency_text, parse_scope
from dashboard.units import count, utc_iso

PATH = "/decisions"
NAME = "decisions"
TITLE = "Decisions"
IN_MENU = True
TICK = "decisions-tick"
ROWS_MAX: Final = 100
# As the address has it: what is sorted by, whether the least comes first, and the words.
SORTS: Final = {
    "": ("time", False, "Newest"),
    "oldest": ("time", True, "Oldest"),
    "slowest": ("latency", False, "Slowest"),
    "fastest": ("latency", True, "Fastest"),
    "segment": ("segment", False, "Longest in a segment"),
    "lost": ("lost", False, "Most lost"),
    "value": ("value", False, "Worth most"),
}
ROWS = (
    *scope_outputs(NAME),
    "decisions-channel.data",
    "decisions-service.data",
    "decisions-cohort.data",
    "decisions-list.rowData",
    "decisions-note.children",
    "decisions-next.href",
    "decisions-first.href",
    "decisions-csv.href",
    "decisions-read.data",
)
TOTALS = ("decisions-totals.children", "decisions-csv.children")
READINGS = ("decisions", "decisions-totals")
OUTPUTS = (*ROWS, *TOTALS, *(output for key in READINGS for output in state_outputs(key)))


def layout(query: str, context: PageContext) -> Component:
    """Return the page as it stands before the first reading."""
    scope = parse_scope(query)
    search = dmc.TextInput(
        id="decisions-search",
        value=scope.search,
        placeholder="Decision id, trace id or outcome key, then Enter",
        size="xs",
        className="search",
        debounce=True,  # with Enter comes what is in the field then
        **{"aria-label": "Find a decision by its id, its trace or its outcome key"},
    )
    listing = grid(
        "decisions-list",
        [{**column, "sortable": False} for column in zoned(COLUMNS, scope.zone)],
        520,
        "No decision matches. Widen the window, clear the filters, or look at Health.",
        label="Decisions",
        options={"rowHeight": 46},
    )
    pager = html.Div(
        [
            dcc.Link("First page", id="decisions-first", href=""),
            dcc.Link(f"Next {ROWS_MAX}", id="decisions-next", href=""),
            html.A(csv_words(0), id="decisions-csv", href="", download=""),
            html.Span("", id="decisions-rests", className="note", role="status"),
        ],
        id="decisions-pager",
        className="pager",
    )
    return page(
        NAME,
        TITLE,
        panel(
            "decisions",
            "Attributed decisions",
            html.Div(_filters(scope), className="tools"),
            html.Div([search], className="tools"),
            html.Div("", id="decisions-totals", className="totals", role="status"),
            *map(state, READINGS),
            listing,
            pager,
        ),
        dcc.Store(id="decisions-go"),
        dcc.Store(id="decisions-read"),
        dcc.Interval(id=TICK, interval=round(context.config.refresh_s * 1000)),
        tools=scope_tools(NAME, scope),
    )


def register(app: Dash, context: PageContext) -> None:
    """Attach this page's callbacks to `app`."""

    def refresh(query: str | None, _ticks: int | None) -> Reading:
        return Reading(read(context, parse_scope(query)))

    def refresh_totals(kept: Any) -> Reading:  # noqa: ANN401  what a browser kept
        if not isinstance(kept, dict):
            raise PreventUpdate
        # Of the rows that are shown: the address may be another by now.
        return Reading(read_totals(context, parse_scope(str(kept.get("search", ""))), kept))

    inputs = [Input("url", "search"), Input(TICK, "n_intervals")]
    answering(
        app, context, READINGS[0], ROWS, inputs, refresh, tick=TICK, keep_s=SHARED_S, path=PATH
    )
    of_rows = [Input("decisions-read", "data")]
    answering(
        app, context, READINGS[1], TOTALS, of_rows, refresh_totals, keep_s=SHARED_S, path=PATH
    )
    register_scope(app, NAME, TICK, context.clock)
    texts = ("channel", "service", "cohort", "segment")
    controls = [(f"decisions-{name}", "value") for name in texts]
    controls += [(f"decisions-{name}", "checked") for name in ("late", "failed")]
    controls.append(("decisions-sort", "value"))
    in_browser(
        app,
        "decisionFilters",
        [Output(*control) for control in controls],
        Input("url", "search"),
        *(Input(*control) for control in controls),
    )
    in_browser(
        app,
        "search",
        Output("decisions-go", "data"),
        Input("decisions-search", "n_submit"),
        State("decisions-search", "value"),
    )


def criteria_of(scope: Scope, now_ns: int) -> DecisionFilter:
    """Return the filter that a page's address says."""
    low_ns, high_ns = scope.latency_ns
    return DecisionFilter(
        scope.range_at(now_ns),
        channel=scope.filter("channel"),
        service=scope.filter("service"),
        cohort=scope.filter("cohort"),
        segment=scope.filter("segment"),
        late=bool(scope.filter("late")),
        failed=bool(scope.filter("failed")),
        low_ns=low_ns,
        high_ns=high_ns,
    )


def read(context: PageContext, scope: Scope) -> dict[str, object]:
    """Read one page of the list: a value for each of ROWS."""
    reader, now_ns = context.reader, context.clock.now_ns()
    criteria = criteria_of(scope, now_ns)
    view = criteria.view
    actions, regions = context.scopes(view.to_ns)
    offered = context.offered(view)
    stated = context.decisions.stated(view)
    after: PageCursor | None = None
    if scope.search:
        ids = reader.decision_ids(scope.search)
        known = [facts for facts in map(reader.decision, ids) if facts is not None]
        lines = [found_line(facts, scope.zone) for facts in known]
        note = f"{count(len(lines))} found at any time for “{scope.search}”"
    else:
        rows, after = context.decisions.page(criteria, order_of(scope), ROWS_MAX, stated=stated)
        lines, note = listed_lines(rows, scope.zone), _note(scope, len(rows), is_last=after is None)
    frozen = replace(scope, until_ns=view.to_ns)
    first = PATH + format_scope(scope) if scope.filter("after") else ""
    return {
        **scope_view(
            NAME,
            scope,
            actions,
            regions,
            view.to_ns,
            context.attributed(now_ns),
            offered.by_dimension,
        ),
        **_choices(offered, scope),
        "decisions-list.rowData": lines,
        "decisions-note.children": note,
        # The next page is of the same time, which would run away under it otherwise.
        "decisions-next.href": PATH + format_scope(frozen, str(after)) if after else "",
        "decisions-first.href": first,
        "decisions-csv.href": csv_href(frozen),
        "decisions-read.data": {
            "to_ns": str(view.to_ns),
            "search": format_scope(scope),
            "stated": stated,
            "found": bool(scope.search),
        },
    }


def read_totals(context: PageContext, scope: Scope, kept: Mapping[str, Any]) -> dict[str, object]:
    """Read what all that the filter holds cost, at the time of the page that was read before."""
    if kept.get("found"):
        return {"decisions-totals.children": "", "decisions-csv.children": csv_words(0)}
    try:
        to_ns = int(kept["to_ns"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"not what the list keeps ({error}); reload the page") from error
    criteria = criteria_of(scope, to_ns)
    found = context.decisions.totals(criteria, stated=bool(kept.get("stated")))
    return {
        "decisions-totals.children": totals_line(found),
        "decisions-csv.children": csv_words(found.decisions),
    }


def order_of(scope: Scope) -> Order:
    """Return the order that an address says. Raises InputError where it says none of SORTS."""
    name = scope.filter("sort")
    if name not in SORTS:
        raise InputError(f"sort={name[:40]!r} is not an order; give one of {', '.join(SORTS)[2:]}")
    sort, ascending, _ = SORTS[name]
    return Order(sort, ascending, parse_cursor(scope.filter("after")))


def csv_href(scope: Scope) -> str:
    """Return the address of the same decisions as a file."""
    order = order_of(replace(scope, filters=tuple(f for f in scope.filters if f[0] != "after")))
    parts = {
        "window": scope.window,
        "until": "" if scope.until_ns is None else utc_iso(scope.until_ns) + "Z",
        "action": scope.action,
        "region": scope.region,
        **{name: scope.filter(name) for name in ("channel", "service", "cohort", "segment")},
        **{name: "true" if scope.filter(name) else "" for name in ("late", "failed")},
        "low_ms": latency_text(scope.low_ms),
        "high_ms": latency_text(scope.high_ms),
        "sort": order.sort,
        "order": "asc" if order.ascending else "desc",
    }
    kept = {name: value for name, value in parts.items() if value}
    return f"/api/v1/decisions.csv?{urlencode(kept)}"


def _note(scope: Scope, rows: int, *, is_last: bool) -> str:
    words = SORTS[scope.filter("sort")][2].lower()
    more = "" if is_last else ", more on the next page"
    return f"{words} first over the whole range: {count(rows)} here{more}{_bounds(scope)}"


def _bounds(scope: Scope) -> str:
    if scope.low_ms is None and scope.high_ms is None:
        return ""
    low = "" if scope.low_ms is None else f" from {scope.low_ms:.1f} ms"
    high = "" if scope.high_ms is None else f" under {scope.high_ms:.1f} ms"
    return f", latency{low}{high}"


def _choices(offered: FilterValues, scope: Scope) -> dict[str, object]:
    named = {
        "channel": ("Any channel", offered.channels),
        "service": ("Any service", offered.services),
        "cohort": ("Any cohort", offered.cohorts),
    }
    return {
        f"decisions-{name}.data": choices(everything, values, scope.filter(name))
        for name, (everything, values) in named.items()
    }


def _filters(scope: Scope) -> list[Component]:
    segment = scope.filter("segment")
    segments = [*CLASSES, *([segment] if segment and segment not in CLASSES else [])]
    return [
        *(
            picker(f"decisions-{name}", f"Any {name}", [], scope.filter(name))
            for name in ("channel", "service", "cohort")
        ),
        html.Span("Slow in", className="note"),
        dmc.SegmentedControl(
            id="decisions-segment",
            data=[
                {"value": "", "label": "anything"},
                *({"value": s, "label": s} for s in segments),
            ],
            value=segment,
            size="xs",
            **{"aria-label": "Slow in: the segment in which a decision was longest"},
        ),
        *(
            dmc.Switch(
                id=f"decisions-{name}",
                label=f"{name.capitalize()} only",
                checked=bool(scope.filter(name)),
                size="sm",
            )
            for name in ("late", "failed")
        ),
        dmc.Select(
            id="decisions-sort",
            data=[{"value": name, "label": words} for name, (_, _, words) in SORTS.items()],
            value=scope.filter("sort"),
            allowDeselect=False,
            checkIconPosition="right",
            size="xs",
            w=170,
            **{"aria-label": "Order"},
        ),
    ]
