"""I/O: what a millisecond is worth, to which decisions, and in which part of their time."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, dcc, html

from attribution.core.selection import Selection
from attribution.sensitivity.groups import DIMENSIONS
from attribution.sensitivity.registered import Experiment
from attribution.vram.document import Document
from collector.core.errors import InputError
from dashboard.pages.answers.gate import CARDS_MAX, cards
from dashboard.pages.answers.worth import (
    LESS_MS,
    answer_sentence,
    curve_figure,
    curve_table,
    groups_lines,
    less_words,
    weights_lines,
)
from dashboard.pages.charts.theme import message
from dashboard.pages.context import PageContext, in_browser
from dashboard.pages.parts import Component, chart, grid, page, panel, zoned
from dashboard.pages.scope.tools import register_scope, scope_outputs, scope_tools, scope_view
from dashboard.pages.states import (
    SHARED_LONG_S,
    SHARED_S,
    Reading,
    answering,
    sentence,
    state,
    state_outputs,
    unbroken,
)
from dashboard.read.scope import Scope, parse_scope
from dashboard.units import Zone, count, counted, named, usd

PATH = "/velocity"
NAME = "velocity"
TITLE = "Velocity"
IN_MENU = True
TICK = "velocity-tick"
# A model reads thousands of trees: as often as it changes by more than its interval.
_SLOW_MS: Final = 120_000
_ROW_PX: Final = 56
_LESS_MS: Final = 10  # that the slider asks about until somebody moves it
_GROUPS: Final[list[dict[str, Any]]] = [
    {"field": "worth", "headerName": "The next ms is worth", "minWidth": 170, "flex": 2,
     "cellRenderer": "Interval", "cellRendererParams": {"first": "per_ms", "second": "interval"}},
    {"field": "group", "headerName": "Decisions of", "minWidth": 130, "flex": 2,
     "cellRenderer": "LinkAndLine", "cellRendererParams": {"second": "n"}},
    {"field": "gain", "headerName": "10 ms faster", "minWidth": 200, "flex": 2,
     "cellRenderer": "TwoLines", "cellRendererParams": {"first": "gain", "second": "gain_of"}},
    {"field": "earns", "headerName": "Earns now", "minWidth": 200, "flex": 2,
     "cellRenderer": "TwoLines", "cellRendererParams": {"first": "earns", "second": "earns_of"}},
    {"field": "rests", "headerName": "Rests on", "minWidth": 150, "flex": 2,
     "cellRenderer": "TagAndLine", "cellRendererParams": {"tag": "rests", "second": "loses"},
     "tooltipField": "basis"},
]  # fmt: skip
_WEIGHTS: Final[list[dict[str, Any]]] = [
    {"field": "segment", "headerName": "Part of the time", "minWidth": 140, "flex": 2,
     "cellRenderer": "LinkAndLine", "cellRendererParams": {"second": "floor"}},
    {"field": "weight", "headerName": "Weight", "width": 84, "type": "rightAligned",
     "headerTooltip": "Share of what is gained where every part comes down to its 10 % quantile"},
    {"field": "gain", "headerName": "To gain", "minWidth": 200, "flex": 2,
     "cellRenderer": "TwoLines", "cellRendererParams": {"first": "gain", "second": "interval"}},
    {"field": "time", "headerName": "Of the time", "width": 104, "type": "rightAligned"},
]  # fmt: skip
_EXPERIMENTS: Final[list[dict[str, Any]]] = [
    {"field": "state", "headerName": "State", "width": 104, "cellRenderer": "Tag"},
    {"field": "name", "headerName": "Experiment", "minWidth": 150, "flex": 2,
     "cellRenderer": "TwoLines", "cellRendererParams": {"first": "name", "second": "of"}},
    {"field": "arms", "headerName": "Delays", "minWidth": 150, "flex": 2},
    {"field": "lasts", "headerName": "From, to (UTC)", "minWidth": 150, "flex": 2,
     "cellRenderer": "TwoLines", "cellRendererParams": {"first": "begins", "second": "ends"}},
    {"field": "budget", "headerName": "May be at risk", "width": 120, "type": "rightAligned"},
]  # fmt: skip
FRAME = (*scope_outputs(NAME), "velocity-experiments.rowData", "velocity-gate.children")
WORTH = (
    "velocity-said.children",
    "velocity-groups.rowData",
    "velocity-groups-note.children",
    "velocity-weights.rowData",
    "velocity-curve.figure",
    "velocity-curve-note.children",
    "velocity-curve-box.aria-label",
    "velocity-curve-table.children",
    "velocity-less-words.data",
)
OUTPUTS = (
    *FRAME,
    *WORTH,
    *state_outputs("velocity-groups"),
    *state_outputs("velocity-experiments"),
)


def layout(query: str, context: PageContext) -> Component:
    """Return the page as it stands before the first reading."""
    scope = parse_scope(query)
    later = "No decision of known value in this range."
    by = dmc.SegmentedControl(
        id="velocity-by",
        data=[{"value": "" if name == DIMENSIONS[0] else name, "label": name.replace("_", " ")}
              for name in DIMENSIONS],
        value=scope.filter("by"),
        size="xs",
        **{"aria-label": "What decisions are grouped by"},
    )  # fmt: skip
    groups = grid("velocity-groups", _GROUPS, 270, later, label="Groups by what a millisecond "
                  "is worth", options={"rowHeight": _ROW_PX})  # fmt: skip
    weights = grid("velocity-weights", _WEIGHTS, 300, later, label="Parts of the time by what "
                   "they weigh", options={"rowHeight": 50})  # fmt: skip
    none = (
        "No delay is or was injected, so the rate is assumed or of none. `millworth vram slope` "
        "names the experiment that would measure it."
    )
    columns = zoned(_EXPERIMENTS, scope.zone)
    experiments = grid("velocity-experiments", columns, 170, none, label="Experiments",
                       options={"rowHeight": 50})  # fmt: skip
    return page(
        NAME,
        TITLE,
        sentence(NAME),
        panel(
            "velocity-groups",
            "Whose milliseconds are worth most",
            html.Div([html.Span("By", className="note"), by], className="tools"),
            groups,
            state("velocity-groups"),
        ),
        html.Div(
            [
                panel("velocity-weights", "Where the milliseconds are", weights, wide="span-7"),
                panel(
                    "velocity-curve",
                    "What faster or slower would bring",
                    *chart("velocity-curve", "Revenue an hour by change of latency", 210),
                    *_less(scope.filter("less")),
                    wide="span-5",
                ),
            ],
            className="panels",
        ),
        panel(
            "velocity-gate",
            "What the gate ruled",
            html.Div("", id="velocity-gate", className="answer-facts"),
            note=f"the newest {CARDS_MAX} verdicts, whatever the range is",
        ),
        panel(
            "velocity-experiments",
            "Experiments that measure the rate",
            experiments,
            state("velocity-experiments"),
            note="delays that are injected on purpose, whatever the range is",
        ),
        dcc.Interval(id=TICK, interval=round(context.config.refresh_s * 1000)),
        dcc.Interval(id="velocity-slow-tick", interval=_SLOW_MS),
        dcc.Store(id="velocity-names", data=["by"]),
        tools=scope_tools(NAME, scope),
    )


def _less(asked: str) -> list[Component]:
    """Return a slider over the shifts that the curve has, and what the chosen one is worth."""
    marks = {str(less): less for less in LESS_MS}
    slider = dmc.Slider(
        id="velocity-less",
        min=min(LESS_MS),
        max=max(LESS_MS),
        marks=[{"value": less, "label": label} for label, less in marks.items()],
        restrictToMarks=True,
        value=marks.get(asked, _LESS_MS),
        size="sm",
        thumbLabel="Milliseconds less",
        className="less",
    )
    words = dcc.Store(id="velocity-less-words")
    usual = dcc.Store(id="velocity-less-default", data=_LESS_MS)
    effect = html.Div("", id="velocity-less-said", className="strong less-said", role="status")
    return [
        html.Div(["What would fewer milliseconds be worth?", slider, effect]),
        words,
        usual,
    ]


def register(app: Dash, context: PageContext) -> None:
    """Attach this page's callbacks to `app`."""

    def refresh(query: str | None, _ticks: int | None) -> Reading:
        return read_frame(context, parse_scope(query))

    def refresh_worth(query: str | None, _ticks: int | None) -> Reading:
        return read_worth(context, parse_scope(query))

    search = Input("url", "search")
    inputs = [search, Input(TICK, "n_intervals")]
    answering(
        app,
        context,
        "velocity-experiments",
        FRAME,
        inputs,
        refresh,
        tick=TICK,
        keep_s=SHARED_S,
        path=PATH,
    )
    slow = [search, Input("velocity-slow-tick", "n_intervals")]
    answering(
        app,
        context,
        "velocity-groups",
        WORTH,
        slow,
        refresh_worth,
        is_long=True,
        keep_s=SHARED_LONG_S,
        path=PATH,
    )
    register_scope(app, NAME, TICK, context.clock)
    # Of a range that stands still the model does not change.
    of_slow = Output("velocity-slow-tick", "max_intervals")
    in_browser(app, "pace", of_slow, Input("velocity-live", "checked"))
    in_browser(
        app,
        "pick",
        Output("velocity-less-said", "children"),
        Input("velocity-less", "value"),
        Input("velocity-less-words", "data"),
        State("velocity-less-default", "data"),
    )
    in_browser(
        app,
        "filters",
        [Output("velocity-by", "value")],
        search,
        Input("velocity-by", "value"),
        State("velocity-names", "data"),
    )


def read_frame(context: PageContext, scope: Scope) -> Reading:
    """Read the pickers and the experiments: a value for each of FRAME."""
    now_ns = context.clock.now_ns()
    view = scope.range_at(now_ns)
    actions, regions = context.scopes(view.to_ns)
    experiments = context.sources.experiments.all()
    return Reading(
        {
            **scope_view(NAME, scope, actions, regions, view.to_ns, context.attributed(now_ns)),
            "velocity-experiments.rowData": experiment_lines(experiments, now_ns, scope.zone),
            "velocity-gate.children": cards(context.judged()),
        }
    )


def read_worth(context: PageContext, scope: Scope) -> Reading:
    """Read what latency is worth to the groups: a value for each of WORTH."""
    now_ns = context.clock.now_ns()
    view = scope.range_at(now_ns)
    dimension = scope.filter("by") or DIMENSIONS[0]
    chosen = Selection(view.from_ns, view.to_ns, view.action, view.region)
    try:
        document = context.sources.vram.compute(chosen, dimension, now_ns)
    except InputError as error:
        if dimension not in DIMENSIONS:
            raise
        return Reading(_unknown(str(error)))
    lineage = document["lineage"]
    is_assumed = not lineage["slope_version"]
    way: Component = unbroken(answer_sentence(document, is_assumed=is_assumed))
    if context.attributed(now_ns).is_empty:
        link = dcc.Link("see how to send the first one", href="/")
        unknown = "What a millisecond is worth is unknown: no decision is here yet, "
        way = html.Span([unknown, link, "."])
    top = document["groups"][0] if document["groups"] else None
    label = (
        f"What {_group_name(top['name'])} would earn more or less"
        if top
        else "no group has a value"
    )
    return Reading(
        {
            "velocity-said.children": way,
            "velocity-groups.rowData": groups_lines(document, scope, is_assumed=is_assumed),
            "velocity-groups-note.children": _note(document),
            "velocity-weights.rowData": weights_lines(document, scope),
            "velocity-curve.figure": curve_figure(top, str(scope.until_ns or "")),
            "velocity-curve-note.children": label if top else "",
            "velocity-curve-box.aria-label": label,
            "velocity-curve-table.children": curve_table(top),
            "velocity-less-words.data": less_words(top, lineage["slope"], is_assumed=is_assumed),
        },
        "; ".join(_missing(document)),
    )


def experiment_lines(
    experiments: Sequence[Experiment], now_ns: int, zone: Zone
) -> list[dict[str, object]]:
    """Return one row an experiment, the newest first."""
    return [
        {
            "id": each.name,
            "state": each.state(now_ns),
            "name": each.name,
            "of": f"by {each.owner}",
            "arms": ", ".join(
                f"{arm.name} {arm.share:.0%}" + (f" +{arm.delay_ms:g} ms" if arm.delay_ms else "")
                for arm in each.arms
            ),
            "begins": zone.second(each.from_ns)[:16],
            "ends": f"to {zone.second(each.ended_ns)[:16]}",
            "budget": usd(Decimal(each.budget_usd)),
        }
        for each in reversed(experiments)
    ]


def _unknown(why: str) -> dict[str, object]:
    nothing = message("Unknown", why)
    return {
        **dict.fromkeys(WORTH, ""),
        "velocity-said.children": f"What a millisecond is worth is unknown: {why}.",
        "velocity-groups.rowData": [],
        "velocity-weights.rowData": [],
        "velocity-curve.figure": nothing,
        "velocity-curve-box.aria-label": why,
    }


def _note(document: Document) -> str:
    lineage = document["lineage"]
    number = counted(lineage["decisions"], "decision")
    return (
        f"{number}, {count(lineage['sampled'])} of them replayed · "
        f"value over {lineage['denominator']}"
    )


def _missing(document: Document) -> list[str]:
    parts = list(document["lineage"]["warnings"])
    if document["unknown"]:
        unknown = named([*map(_group_name, document["unknown"])])
        parts.append(f"of unknown value, in no figure: {unknown}")
    if document["unsampled"]:
        parts.append(f"not in the sample: {named([*map(_group_name, document['unsampled'])])}")
    return parts


def _group_name(name: str) -> str:
    return name or "(empty)"
