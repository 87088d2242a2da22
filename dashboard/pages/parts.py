"""Pure: the pieces that pages are built of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import dash_ag_grid as dag
import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, ctx, dcc, html, no_update

from collector.core.clock import NS_PER_S, Clock
from collector.core.errors import InputError
from dashboard.pages.chips import chips
from dashboard.pages.context import in_browser
from dashboard.pages.theme import message
from dashboard.read.scope import WINDOWS, Scope, format_scope, parse_scope
from dashboard.read.typed_range import FORMS, typed_range
from dashboard.units import span_of_time, utc_clock, utc_iso

# Dash's components are untyped.
Component = Any

# What settles, is stored and is attributed is seconds old; beyond this something does not keep up.
_OLD_NS = 60 * NS_PER_S
_GRAPH_CONFIG = {"displayModeBar": False, "responsive": True, "showTips": False}


def page(name: str, title: str, *children: Component, tools: Sequence[Component] = ()) -> Component:
    """Return a page: its one h1 with tools beside it, then its panels."""
    heading = html.H1(title, id=f"{name}-title", tabIndex=-1)
    head = html.Div([heading, *tools], className="page-head")
    return html.Div([head, *children], className="page")


def panel(
    panel_id: str,
    title: str,
    *children: Component,
    note: str | Component = "",
    wide: str = "",
) -> Component:
    """Return a titled panel; `wide` is a class that sets its place in the grid."""
    heading = html.H2(title, id=f"{panel_id}-title")
    head = html.Div(
        [heading, html.Div(note, id=f"{panel_id}-note", className="note")], className="panel-head"
    )
    return html.Section(
        [head, *children],
        id=f"{panel_id}-panel",
        className=f"panel {wide}",
        **{"aria-labelledby": f"{panel_id}-title"},
    )


def chart(graph_id: str, label: str, height_px: int) -> list[Component]:
    """Return a figure in a space of fixed height, and a table that says the same.

    The space is kept while plotly loads, so that nothing below it jumps. The figure is one image
    to a screen reader; `{graph_id}-summary` is its text.
    """
    graph = dcc.Graph(
        id=graph_id,
        figure=message("Loading…"),
        config=_GRAPH_CONFIG,
        responsive=True,
        style={"height": "100%"},
    )
    return [
        html.Div(
            html.Div(
                graph,
                id=f"{graph_id}-box",
                className="chart-box",
                role="img",
                **{"aria-label": label},
            ),
            className="chart",
            style={"height": f"{height_px}px"},
            # On a telephone it is wider than its space, and the keyboard has to reach the rest.
            tabIndex=0,
            role="group",
            **{"aria-label": label},
        ),
        html.Details(
            [
                html.Summary("Show as a table"),
                scrolled(f"{graph_id}-table", f"{label}, as a table"),
            ],
            className="twin",
        ),
    ]


def scrolled(box_id: str, label: str) -> Component:
    """Return what scrolls by itself, which the keyboard reaches too."""
    return html.Div(
        id=box_id, className="scroll", tabIndex=0, role="region", **{"aria-label": label}
    )


def kpi(kpi_id: str, title: str) -> Component:
    """Return one figure on a card: value, what it is held against, and where it comes from."""
    return html.Div(
        [
            html.H2(title),
            html.Div("…", id=f"{kpi_id}-value", className="kpi-value"),
            html.Div("", id=f"{kpi_id}-note", className="note"),
        ],
        id=kpi_id,
        className="panel kpi",
    )


def grid(
    grid_id: str,
    columns: Sequence[dict[str, Any]],
    height_px: int | None,
    empty: str,
    *,
    label: str,
    options: dict[str, Any] | None = None,
) -> Component:
    """Return a sortable table whose rows carry `id`; `empty` says why there are none.

    `height_px` None shows every row: for a table of few rows that are all looked for.
    """
    table = dag.AgGrid(
        id=grid_id,
        columnDefs=list(columns),
        rowData=None,
        getRowId="params.data.id",
        defaultColDef={"sortable": True, "resizable": True, "suppressMovable": True},
        dashGridOptions={
            "rowHeight": 34,
            "headerHeight": 34,
            "suppressCellFocus": False,
            "enableCellTextSelection": True,
            "ensureDomOrder": True,
            "animateRows": False,
            "tooltipShowDelay": 300,
            "noRowsOverlayComponent": "NoRows",
            "noRowsOverlayComponentParams": {"text": empty},
            **({"domLayout": "autoHeight"} if height_px is None else {}),
            **(options or {}),
        },
        style={"height": None if height_px is None else "100%", "width": "100%"},
    )
    return html.Div(
        table,
        className="grid-box",
        style={} if height_px is None else {"height": f"{height_px}px"},
        role="region",
        **{"aria-label": label},
    )


def legend(*names: str) -> Component:
    """Return what the colours of a figure mean; plotly's own legend covers a narrow figure."""
    swatches = [html.Span(name, className=f"swatch swatch-{name.split()[0]}") for name in names]
    return html.Div(swatches, className="note legend")


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a plain table that is more than its text."""

    text: str
    title: str = ""  # shown where the pointer rests
    mark: str = ""  # a class of the style sheet
    strong: bool = False


def table(
    headings: Sequence[str], rows: Sequence[Sequence[str | Cell]], *, numeric: Sequence[int] = ()
) -> Component:
    """Return a plain table; columns whose place is in `numeric` line up at the right.

    It is one component: `assets/tables.js` builds the rows where they are seen. A component a cell
    costs the page more than its figures do, at each refresh, also in a twin that nobody opened.
    """
    drawn = {
        "headings": headings,
        "rows": [
            [asdict(cell) if isinstance(cell, Cell) else cell for cell in row] for row in rows
        ],
        "numeric": list(numeric),
    }
    return html.Div(**{"data-table": json.dumps(drawn, ensure_ascii=False)})


def facts_list(facts: Sequence[tuple[str, object]]) -> Component:
    """Return names and values as a description list."""
    items = [html.Div([html.Dt(name), html.Dd(value)]) for name, value in facts]
    return html.Dl(items, className="facts")


def scope_tools(name: str, scope: Scope, *, narrows: bool = True) -> list[Component]:
    """Return a page's pickers of time, action and region; the URL holds what they say.

    Their ids begin with the page's name: a callback of one page must not meet another's pickers.
    Those of action and region are hidden where a page is of all of them.
    """
    return [
        html.Div(
            [
                dmc.SegmentedControl(
                    id=f"{name}-window",
                    data=[{"value": window, "label": window} for window in WINDOWS],
                    value=scope.window,
                    size="xs",
                    **{"aria-label": "Length of the window"},
                ),
                dmc.TextInput(
                    id=f"{name}-range",
                    placeholder="10:00..10:05",
                    size="xs",
                    w=176,
                    # With Enter comes what is in the field then, however fast it was typed.
                    debounce=True,
                    rightSection=_calendar(name),
                    rightSectionPointerEvents="all",
                    **{"aria-label": f"Range of time in UTC, such as {FORMS}"},
                ),
                html.Div(
                    [
                        _select(f"{name}-action", "All actions", scope.action),
                        _select(f"{name}-region", "All regions", scope.region),
                    ],
                    className="tools",
                    hidden=not narrows,
                ),
                dmc.Switch(
                    id=f"{name}-live",
                    label="Live",
                    checked=scope.until_ns is None,
                    size="sm",
                ),
                html.Span("", id=f"{name}-asof", className=_asof(scope)),
                dcc.Store(id=f"{name}-asof-iso"),
            ],
            className="tools",
        ),
        html.Div(chips(name, scope, {}), id=f"{name}-chips", className="chips"),
    ]


def _calendar(name: str) -> Component:
    """Return a button that opens a calendar, of which two clicks choose days."""
    days = dmc.DatePicker(
        id=f"{name}-days", type="range", allowSingleDateInRange=True, weekendDays=[], size="xs"
    )
    button = html.Button(
        "▾",
        className="calendar",
        title="Days in UTC",
        **{"aria-label": "Days in UTC", "aria-haspopup": "dialog"},
    )
    return dmc.Popover(
        [dmc.PopoverTarget(button, boxWrapperProps={"w": 24}), dmc.PopoverDropdown(days, p="xs")],
        position="bottom-end",
        withRoles=False,  # which it would give to the box around the button
        shadow="md",
        trapFocus=True,
        returnFocus=True,
    )


def register_scope(app: Dash, name: str, tick: str, clock: Clock) -> None:
    """Attach the pickers of a page to its URL, and its dcc.Interval to the switch."""

    def chosen(_submitted: int | None, days: Any, text: str | None, query: str | None) -> Any:  # noqa: ANN401  as Dash takes it
        """Return the query of the typed range, what is wrong with it, and what stays typed."""
        if ctx.triggered_id == f"{name}-days":
            # The first click is of the begin alone.
            text = "..".join(days) if days and all(days) else ""
        if not (text or "").strip():
            return no_update, "", ""
        try:
            window, until_ns = typed_range(text or "", clock.now_ns())
        except InputError as error:
            return no_update, str(error), no_update
        scope = replace(parse_scope(query), window=window, until_ns=until_ns)
        return format_scope(scope), "", ""

    app.callback(
        Output("url", "search", allow_duplicate=True),
        Output(f"{name}-range", "error"),
        Output(f"{name}-range", "value"),
        Input(f"{name}-range", "n_submit"),
        Input(f"{name}-days", "value"),
        State(f"{name}-range", "value"),
        State("url", "search"),
        prevent_initial_call=True,
    )(chosen)
    parts = {"window": "value", "action": "value", "region": "value", "live": "checked"}
    controls = [(f"{name}-{part}", prop) for part, prop in parts.items()]
    in_browser(
        app,
        "scope",
        [Output(*control) for control in controls],
        Input("url", "search"),
        *(Input(*control) for control in controls),
        State(f"{name}-asof-iso", "data"),
    )
    in_browser(app, "pace", Output(tick, "max_intervals"), Input(f"{name}-live", "checked"))


def scope_outputs(name: str) -> tuple[str, ...]:
    """Return what of a page's pickers a reading updates."""
    parts = (
        "action.data",
        "region.data",
        "asof.children",
        "asof.className",
        "asof-iso.data",
        "chips.children",
    )
    return tuple(f"{name}-{part}" for part in parts)


def scope_view(
    name: str,
    scope: Scope,
    actions: Sequence[str],
    regions: Sequence[str],
    to_ns: int,
    complete_ns: int,
    known: Mapping[str, Sequence[str]] | None = None,
    *,
    is_away: bool = False,
) -> dict[str, object]:
    """Return what the pickers offer, how old what the page shows is, and what it is narrowed to.

    Args:
        to_ns: up to when the page has read.
        complete_ns: up to when all that was received is attributed, 0 for never.
        known: other values that decisions have, by dimension.
        is_away: the store did not answer, so that nobody knows whether it is empty.
    """
    named = {"action": actions, "region": regions, **(known or {})}
    said, is_old = _age(scope, to_ns, complete_ns)
    return {
        f"{name}-action.data": _choices("All actions", actions, scope.action),
        f"{name}-region.data": _choices("All regions", regions, scope.region),
        f"{name}-asof.children": said,
        f"{name}-asof.className": _asof(scope) + (" old" if is_old else ""),
        f"{name}-asof-iso.data": utc_iso(to_ns) + "Z",
        f"{name}-chips.children": chips(
            name, scope, named, is_empty=not complete_ns and not is_away
        ),
    }


def _asof(scope: Scope) -> str:
    """Return the class of what says how old data are; of a range it is a sentence."""
    return "note asof" if scope.until_ns is None else "note asof frozen"


def _age(scope: Scope, to_ns: int, complete_ns: int) -> tuple[str, bool]:
    """Return in words how old the data are, and whether that is too old."""
    if not complete_ns:
        return "no data yet", False
    complete_ns = min(complete_ns, to_ns)
    behind_ns = to_ns - complete_ns
    if scope.until_ns is not None:
        from_ns = max(0, to_ns - scope.window_ns)
        begin, end = (utc_iso(ns)[:10] for ns in (from_ns, to_ns))
        said = f"{begin} {utc_clock(from_ns)} to {'' if begin == end else end + ' '}"
        said += f"{utc_clock(to_ns)} UTC"
        if behind_ns == 0:
            return said, False
        return f"{said}, complete to {utc_clock(complete_ns)}", True
    if behind_ns <= _OLD_NS:
        return f"as of {utc_clock(complete_ns)} UTC", False
    return f"as of {utc_clock(complete_ns)} UTC, {span_of_time(behind_ns)} ago", True


def _choices(everything: str, values: Sequence[str], chosen: str) -> list[dict[str, str]]:
    offered = sorted({*values, chosen} - {""})
    return [
        {"value": "", "label": everything},
        *({"value": value, "label": value} for value in offered),
    ]


def _select(select_id: str, everything: str, chosen: str) -> Component:
    return dmc.Select(
        id=select_id,
        data=_choices(everything, [], chosen),
        value=chosen,
        allowDeselect=False,
        checkIconPosition="right",
        size="xs",
        w=132,
        **{"aria-label": everything},
    )
