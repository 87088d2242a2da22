"""I/O: explore: what is brushed on the heatmap, and what tells it from the rest, by dollars.

Two readings: the heatmap follows the clock; the comparison is asked when the address changes.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import Any, Final

import dash_mantine_components as dmc
from clickhouse_connect.driver.exceptions import ClickHouseError
from dash import Dash, Input, Output, State, dcc, html, no_update

from attribution.whatif.answers import CompareAnswer
from collector.core.errors import InputError, MillworthError
from collector.core.log import get_logger
from collector.core.times import NS_PER_MS
from dashboard.pages.context import PageContext, in_browser
from dashboard.pages.decisions.page import criteria_of
from dashboard.pages.explore.box import FIELDS, form, late_query, typed_box, without_box
from dashboard.pages.explore.figure import MODES, amount, cell_words, heatmap
from dashboard.pages.explore.ranked import failed_line, listed, rows_of_segments, rows_of_values
from dashboard.pages.explore.sentence import populations, sentence
from dashboard.pages.parts import Component, chart, page, panel, table
from dashboard.pages.scope.chips import choices
from dashboard.pages.scope.tools import register_scope, scope_outputs, scope_tools, scope_view
from dashboard.pages.states import SHARED_S, Reading, answering, state, state_outputs
from dashboard.read.adhoc.sql import engine_error
from dashboard.read.decisions.brush import (
    Brush,
    parse_between,
    parse_brush,
    sides,
)
from dashboard.read.decisions.filter import DecisionFilter
from dashboard.read.decisions.kept import KeptCells
from dashboard.read.decisions.listing import HeatCell
from dashboard.read.rows import Attributed
from dashboard.read.scope import Scope, format_scope, parse_scope
from dashboard.units import Zone, counted

PATH = "/explore"
NAME = "explore"
TITLE = "Explore"
IN_MENU = True
TICK = "explore-tick"
_TABLE_ROWS_MAX: Final = 20
HEAT = (
    *scope_outputs(NAME),
    "explore-add.data",
    "explore-heatmap.figure",
    "explore-heat-note.children",
    "explore-heatmap-box.aria-label",
    "explore-heatmap-table.children",
)
WHY = (
    "explore-said.children",
    "explore-why-note.children",
    "explore-values.children",
    "explore-segments.children",
    "explore-late.href",
    "explore-clear.href",
    "explore-retry.hidden",
)
OUTPUTS = (*HEAT, *WHY, *state_outputs("explore-heat"))

_log = get_logger("dashboard")


@dataclass(frozen=True, slots=True)
class Question:
    """What an address asks."""

    scope: Scope
    criteria: DecisionFilter
    brush: Brush
    against: tuple[int, int] | None  # None: the rest
    now_ns: int

    @property
    def range_ns(self) -> tuple[int, int]:
        """Return [from, to) of the page."""
        return self.criteria.view.from_ns, self.criteria.view.to_ns

    @property
    def other(self) -> str:
        """Return what is compared with, in words."""
        if self.against is None:
            return "the rest"
        begin, end = (self.scope.zone.dated(each, self.now_ns) for each in self.against)
        return f"{begin} to {end}"


def layout(query: str, context: PageContext) -> Component:
    """Return the page as it stands before the first reading."""
    scope = parse_scope(query)
    mode = dmc.SegmentedControl(
        id="explore-mode",
        data=[{"value": value, "label": label} for value, label in MODES.items()],
        value=scope.filter("mode"),
        size="xs",
        **{"aria-label": "What a colour means"},
    )
    return page(
        NAME,
        TITLE,
        panel(
            "explore-heat",
            "Decision latency",
            state("explore-heat"),
            *chart("explore-heatmap", "Decision latency over time", 230),
            html.Div([mode, *form(scope)], className="tools explore-form"),
        ),
        panel(
            "explore-why",
            "What tells the box from the others",
            html.Div("…", id="explore-said", className="explore-said", role="status"),
            html.Button("Try again", id="explore-retry", hidden=True),
        ),
        html.Div(
            [
                panel(
                    "explore-values",
                    "Whose decisions they are",
                    html.Div(id="explore-values", className="explore-list"),
                    note="lost by failures and lateness, beyond their share; dearest first",
                    wide="span-7",
                ),
                panel(
                    "explore-segments",
                    "Where their time went",
                    html.Div(id="explore-segments", className="explore-list"),
                    note="by equal action and region; also below the target, no failures",
                    wide="span-5",
                ),
            ],
            className="panels",
        ),
        dcc.Interval(id=TICK, interval=round(context.config.refresh_s * 1000)),
        dcc.Store(id="explore-names", data=["mode"]),
        dcc.Store(id="explore-brushed"),
        tools=[_adder(), *scope_tools(NAME, scope)],
    )


def register(app: Dash, context: PageContext) -> None:
    """Attach this page's callbacks to `app`."""

    kept = KeptCells(context.decisions)

    def refresh(query: str | None, _ticks: int | None) -> Reading:
        return Reading(heat(context, parse_scope(query), kept))

    def explain(query: str | None, _retries: int | None) -> dict[str, object]:
        return why(context, parse_scope(query))

    def typed(*values: Any) -> list[object]:  # noqa: ANN401  what the browser sent
        *sent, time, latency, against, query = values
        # A page that is drawn asks too, before anybody has sent anything.
        if not any(sent):
            return [no_update] * (1 + len(FIELDS))
        return typed_box(parse_scope(query), (time, latency, against), context.clock.now_ns())

    search = Input("url", "search")
    timed = [search, Input(TICK, "n_intervals")]
    answering(
        app,
        context,
        "explore-heat",
        HEAT,
        timed,
        refresh,
        tick=TICK,
        keep_s=SHARED_S,
        path=PATH,
    )
    context.reading(app, WHY, [search, Input("explore-retry", "n_clicks")], explain, is_long=True)
    # In the browser and at once: an answer that comes later would undo what somebody types.
    in_browser(app, "boxFields", [Output(name, "value") for name in FIELDS], search)
    register_scope(app, NAME, TICK, context.clock)
    app.callback(
        Output("url", "search", allow_duplicate=True),
        *(Output(name, "error") for name in FIELDS),
        *(Input(name, "n_submit") for name in FIELDS),
        Input("explore-compare", "n_clicks"),
        *(State(name, "value") for name in FIELDS),
        State("url", "search"),
        prevent_initial_call=True,
    )(typed)
    in_browser(
        app,
        "filters",
        [Output("explore-mode", "value")],
        search,
        Input("explore-mode", "value"),
        State("explore-names", "data"),
    )
    in_browser(
        app,
        "addFilter",
        Output("explore-add", "value"),
        Input("explore-add", "value"),
        at_once=False,
    )
    in_browser(
        app,
        "brushBox",
        Output("explore-brushed", "data"),
        Input("explore-heatmap", "relayoutData"),
        State("explore-heatmap", "figure"),
    )


def question_of(scope: Scope, now_ns: int) -> Question:
    """Return what an address asks. Raises InputError for a box or a baseline that is none."""
    against = scope.filter("against")
    return Question(
        scope,
        replace(criteria_of(scope, now_ns), late=False),
        parse_brush(scope.filter("brush"), scope.filter("brush_ms")),
        parse_between("against", against) if against else None,
        now_ns,
    )


def heat(context: PageContext, scope: Scope, kept: KeptCells) -> dict[str, object]:
    """Read the heatmap: a value for each of HEAT."""
    now_ns, mode = context.clock.now_ns(), scope.filter("mode")
    if mode not in MODES:
        raise InputError(f"mode={mode[:40]!r} is not a mode; give one of dollars, late, or none")
    try:
        question = question_of(scope, now_ns)
    except InputError:
        # The panel below says what is wrong with the box; the range is still shown.
        question = question_of(without_box(scope), now_ns)
    read = kept.read(question.criteria, now_ns, is_live=scope.until_ns is None)
    view = read.view
    actions, regions = context.scopes(view.to_ns)
    target_ns = context.reference.target_ns(scope.action)
    decisions = counted(sum(cell.decisions for cell in read.cells), "decision")
    zone = scope.zone
    named = read.offered.by_dimension
    attributed = context.attributed(now_ns)
    return {
        **scope_view(NAME, scope, actions, regions, view.to_ns, attributed, named),
        "explore-add.data": choices(named),
        "explore-heatmap.figure": heatmap(
            read.cells,
            mode,
            view,
            read.step_ns,
            target_ns,
            question.brush,
            zone.axis(view.to_ns),
            is_empty=attributed.is_empty,
        ),
        "explore-heat-note.children": ""
        if attributed.is_empty
        else f"{decisions}. Drag a box over what is odd.",
        "explore-heatmap-box.aria-label": (
            f"Latency of {decisions} from {zone.dated(view.from_ns, now_ns)}"
            f" to {zone.dated_at(view.to_ns, now_ns)}; type a box in the fields below"
        ),
        "explore-heatmap-table.children": _largest(read.cells, mode, zone, now_ns),
    }


def why(context: PageContext, scope: Scope) -> dict[str, object]:
    """Compare the box with the others: a value for each of WHY."""
    now_ns = context.clock.now_ns()
    values: dict[str, object] = dict.fromkeys(WHY, "")
    target_ms = context.reference.target_ns(scope.action) / NS_PER_MS
    values["explore-retry.hidden"] = True
    values["explore-late.href"] = PATH + late_query(scope, target_ms, now_ns)
    values["explore-clear.href"] = PATH + format_scope(without_box(scope))
    try:
        question = question_of(scope, now_ns)
    except InputError as error:
        return values | {"explore-said.children": _refused(str(error))}
    if question.brush.is_empty:
        later = "Ranked here once something is brushed."
        lists = {f"explore-{name}.children": later for name in ("values", "segments")}
        try:
            is_empty = context.attributed(now_ns).is_empty
        except MillworthError:  # the panel above says that it cannot be read
            is_empty = False
        return values | {"explore-said.children": _guide(is_empty=is_empty), **lists}
    before, inside, is_rest = sides(question.criteria, question.brush, question.against)
    try:
        answer = context.compare(before, inside, rest=is_rest)
        attributed = context.attributed(now_ns)
    except (MillworthError, ClickHouseError) as error:
        mark = secrets.token_hex(4)
        # What the engine says of its limits has code numbers and a version in it.
        error_text = engine_error(error) if isinstance(error, ClickHouseError) else str(error)
        error_text = error_text.splitlines()[0][:300]
        _log.error("comparison_failed", question=mark, error=error_text)
        failed = {"explore-said.children": _failed(error_text, mark), "explore-retry.hidden": False}
        return values | failed
    return values | _compared(context, question, answer, attributed)


def _compared(
    context: PageContext, question: Question, answer: CompareAnswer, attributed: Attributed
) -> dict[str, object]:
    to_ns = question.range_ns[1] if question.brush.to_ns is None else question.brush.to_ns
    notes: list[Component] = [populations(answer, question.other.capitalize())]
    if answer.is_assumed and any(each.usd_per_hour is not None for each in answer.segments):
        notes += [" ", html.Span("assumed rate", className="badge", title=context.prior_basis)]
    until_ns = attributed.until_ns
    if until_ns < to_ns:
        until = question.scope.zone.dated(until_ns, question.now_ns) if until_ns else "now"
        why_not = "Later decisions of the box are not in it yet."
        attributed_text = f"attributed to {until} only"
        notes += [" ", html.Span(attributed_text, className="badge", title=why_not)]
    places = (question.scope, question.brush, question.range_ns)
    is_enough = answer.before is not None and answer.after is not None
    return {
        "explore-said.children": sentence(answer, question.other),
        "explore-why-note.children": notes,
        "explore-values.children": [
            *failed_line(answer, question.other, *places),
            *listed(rows_of_values(answer, question.other), *places, "Values by money"),
        ] if is_enough else "",
        "explore-segments.children": listed(
            rows_of_segments(answer), *places, "Segments by money"
        ) if is_enough else "",
    }  # fmt: skip


def _guide(*, is_empty: bool) -> Component:
    if is_empty:
        way = dcc.Link("see how to send the first one", href="/")
        return html.Div(["No decision is here yet: ", way, "."], className="explore-guide")
    return html.Div(
        "Nothing is brushed yet. Drag a box over what is odd on the heatmap, type one, or take the "
        "late ones: the page then says what they have in common and the others have not.",
        className="explore-guide",
    )


def _refused(text: str) -> Component:
    return html.Div(text, className="error", role="alert")


def _failed(text: str, mark: str) -> Component:
    return html.Div(
        [
            f"The comparison failed: {text}. Narrow the range or the filters, or try it again. ",
            html.Span(f"(question {mark} in the log)", className="note"),
        ],
        className="error",
        role="alert",
    )


def _adder() -> Component:
    return dmc.Select(
        id="explore-add",
        data=[],
        placeholder="+ filter",
        searchable=True,
        nothingFoundMessage="no such value in this range",
        size="xs",
        w=150,
        **{"aria-label": "Narrow the page to a channel, cohort, service or segment"},
    )


def _largest(cells: list[HeatCell], mode: str, zone: Zone, now_ns: int) -> Component:
    """Return the cells that weigh most, for whoever does not see the figure."""
    most = sorted(cells, key=lambda cell: -amount(cell, mode))[:_TABLE_ROWS_MAX]
    rows = [
        (
            zone.dated(cell.column_ns, now_ns),
            f"{2 ** (cell.bucket / 8) / NS_PER_MS:,.1f}",
            cell_words(cell, mode),
        )
        for cell in most
    ]
    return table((f"From ({zone.city})", "From ms", "Holds"), rows, numeric=(1,))
