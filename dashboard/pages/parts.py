"""Pure: the pieces that pages are built of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import dash_ag_grid as dag
import dash_mantine_components as dmc
from dash import dcc, html

from dashboard.pages.charts.theme import message
from dashboard.units import Zone

# Dash's components are untyped.
Component = Any

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
            html.H2(title, id=f"{kpi_id}-title"),
            html.Div("…", id=f"{kpi_id}-value", className="kpi-value"),
            html.Div("", id=f"{kpi_id}-note", className="note"),
        ],
        id=kpi_id,
        className="panel kpi",
    )


def choices(everything: str, values: Sequence[str], chosen: str) -> list[dict[str, str]]:
    """Return what a picker offers: no narrowing, the values, and what is chosen if it is none."""
    offered = [*values, *([chosen] if chosen not in values else [])]
    return [
        {"value": "", "label": everything},
        *({"value": value, "label": value} for value in offered if value),
    ]


def picker(
    picker_id: str, everything: str, values: Sequence[str], chosen: str, width_px: int = 136
) -> Component:
    """Return a picker of one of many names, which one finds by typing a part of it.

    Args:
        picker_id: of the component.
        everything: what it says where it does not narrow, as `All regions`; its name too.
        values: to choose from, in this order.
        chosen: one of them, or what an address says; "" for none.
        width_px: of the picker.
    """
    return dmc.Select(
        id=picker_id,
        data=choices(everything, values, chosen),
        value=chosen,
        allowDeselect=False,
        checkIconPosition="right",
        searchable=True,
        # Otherwise what is typed is added to the name that stands there.
        clearSearchOnFocus=True,
        nothingFoundMessage="No such name",
        size="xs",
        w=width_px,
        **{"aria-label": everything},
    )


def zoned(columns: Sequence[dict[str, Any]], zone: Zone) -> list[dict[str, Any]]:
    """Return columns whose headings say by whose clock their instants are."""
    return [
        {**each, "headerName": each["headerName"].replace("(UTC)", f"({zone.city})")}
        for each in columns
    ]


def grid(
    grid_id: str,
    columns: Sequence[dict[str, Any]],
    height_px: int | None,
    empty: str,
    *,
    label: str,
    options: dict[str, Any] | None = None,
    grows: bool = False,
) -> Component:
    """Return a sortable table whose rows carry `id`; `empty` says why there are none.

    `height_px` None shows every row: for a table of few rows that are all looked for. With `grows`
    it is the least height: the table grows with its rows to most of the window, then scrolls.
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
    end = f"{grid_id}-end"
    return html.Div(
        # Tab goes from cell to cell, in a long table a thousand of them.
        [
            html.A("Skip the table", href=f"#{end}", className="skip"),
            table,
            html.Span(id=end, tabIndex=-1),
        ],
        className="grid-box grows" if grows else "grid-box",
        style={} if height_px is None else {"--least" if grows else "height": f"{height_px}px"},
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
    href: str = ""  # of the page that it leads to


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
