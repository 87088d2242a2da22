"""I/O: whether it is the network: what packets prove that decisions waited for."""

from __future__ import annotations

from typing import Any, Final

from dash import Dash, Input, dcc, html

from dashboard.pages.answers.waits import (
    answer_sentence,
    bursts_empty,
    bursts_lines,
    missing,
    pairs_lines,
    waits_table,
    wire_facts,
)
from dashboard.pages.context import PageContext
from dashboard.pages.parts import Component, grid, page, panel, scrolled, zoned
from dashboard.pages.scope.tools import register_scope, scope_outputs, scope_tools, scope_view
from dashboard.pages.states import (
    SHARED_S,
    Reading,
    answering,
    sentence,
    state,
    state_outputs,
    unbroken,
)
from dashboard.read.network.reader import PAIRS_MAX, network
from dashboard.read.reader import BURSTS_MAX
from dashboard.read.scope import Scope, parse_scope

PATH = "/network"
NAME = "network"
TITLE = "Network"
IN_MENU = True
TICK = "network-tick"
RECORDER: Final = "packet.recorder"
_ROW_PX: Final = 50
_PAIRS: Final[list[dict[str, Any]]] = [
    {"field": "again", "headerName": "Sent again", "minWidth": 178, "flex": 2,
     "cellRenderer": "TwoLines", "cellRendererParams": {"first": "again", "second": "interval"}},
    {"field": "pair", "headerName": "To", "minWidth": 170, "flex": 2,
     "cellRenderer": "LinkAndLine", "cellRendererParams": {"second": "from"}},
    {"field": "rtt", "headerName": "Round trip p50", "minWidth": 140, "flex": 1,
     "cellRenderer": "TwoLines", "cellRendererParams": {"first": "rtt", "second": "rtt_of"}},
    {"field": "connect", "headerName": "Connecting p50", "minWidth": 120, "flex": 1,
     "cellRenderer": "TwoLines", "cellRendererParams": {"first": "connect",
                                                        "second": "connect_of"}},
    {"field": "closed", "headerName": "Windows closed", "width": 128, "type": "rightAligned"},
    {"field": "bytes", "headerName": "Kept", "width": 96, "type": "rightAligned"},
]  # fmt: skip
_BURSTS: Final[list[dict[str, Any]]] = [
    {"field": "at", "headerName": "At (UTC)", "minWidth": 120, "flex": 1,
     "cellRenderer": "LinkAndLine", "cellRendererParams": {"second": "host"}},
    {"field": "queue", "headerName": "Queue", "minWidth": 96, "flex": 1,
     "cellRenderer": "TwoLines", "cellRendererParams": {"first": "queue", "second": "queue_of"}},
    {"field": "peak", "headerName": "Fullest", "minWidth": 130, "flex": 1,
     "cellRenderer": "TwoLines", "cellRendererParams": {"first": "peak", "second": "lasts"}},
    {"field": "flows", "headerName": "By", "minWidth": 150, "flex": 1,
     "cellRenderer": "TwoLines", "cellRendererParams": {"first": "flows", "second": "top"}},
]  # fmt: skip
READ = (
    *scope_outputs(NAME),
    "network-said.children",
    "network-waits.children",
    "network-wire.children",
    "network-pairs.rowData",
    "network-bursts.rowData",
    "network-bursts-note.children",
)
OUTPUTS = (*READ, *state_outputs("network"))


def layout(query: str, context: PageContext) -> Component:
    """Return the page as it stands before the first reading."""
    pairs = grid(
        "network-pairs",
        _PAIRS,
        300,
        "No connection of this range is kept. Widen the range, or look below for what is recorded.",
        label="Connections by what was sent again",
        options={"rowHeight": _ROW_PX},
    )
    bursts = grid(
        "network-bursts",
        zoned(_BURSTS, parse_scope(query).zone),
        230,
        "No burst in this range.",
        label="Bursts by their queue",
        options={"rowHeight": _ROW_PX},
    )
    return page(
        NAME,
        TITLE,
        sentence(NAME),
        state(NAME),
        panel(
            "network-waits",
            "What decisions waited for",
            scrolled("network-waits", "What decisions waited for, as a table"),
            note="packets prove it; tcp_info is the least that the kernel's figures mean",
        ),
        panel(
            "network-pairs",
            "Who spoke with whom",
            pairs,
            note=f"the worst {PAIRS_MAX}, of every action and region; a name leads to its longest "
            "exchange",
        ),
        html.Div(
            [
                panel("network-bursts", "Bursts", bursts, wide="span-7"),
                panel(
                    "network-wire",
                    "What was seen and kept",
                    html.Div("…", id="network-wire", className="answer-facts"),
                    note="every packet, before any was let go",
                    wide="span-5",
                ),
            ],
            className="panels",
        ),
        dcc.Interval(id=TICK, interval=round(context.config.refresh_s * 1000)),
        tools=scope_tools(NAME, parse_scope(query)),
    )


def register(app: Dash, context: PageContext) -> None:
    """Attach this page's callbacks to `app`."""

    def refresh(query: str | None, _ticks: int | None) -> Reading:
        return read(context, parse_scope(query))

    inputs = [Input("url", "search"), Input(TICK, "n_intervals")]
    answering(app, context, NAME, READ, inputs, refresh, tick=TICK, keep_s=SHARED_S, path=PATH)
    register_scope(app, NAME, TICK, context.clock)


def read(context: PageContext, scope: Scope) -> Reading:
    """Read what packets prove: a value for each of READ."""
    now_ns = context.clock.now_ns()
    view = scope.range_at(now_ns)
    actions, regions = context.scopes(view.to_ns)
    found = network(context.reader, view)
    recorder = next((item for item in context.items() if item.name == RECORDER), None)
    why_off = "" if recorder is None or recorder.status == "ok" else recorder.detail
    bursts = f"the first {BURSTS_MAX}" if len(found.bursts) == BURSTS_MAX else ""
    return Reading(
        {
            **scope_view(NAME, scope, actions, regions, view.to_ns, context.attributed(now_ns)),
            "network-said.children": unbroken(answer_sentence(found, why_off)),
            "network-waits.children": waits_table(found.waited),
            "network-wire.children": wire_facts(found.wire),
            "network-pairs.rowData": pairs_lines(found.pairs),
            "network-bursts.rowData": bursts_lines(found.bursts, scope),
            "network-bursts-note.children": bursts
            or ("" if found.bursts else bursts_empty(found.wire)),
        },
        missing(found),
    )
