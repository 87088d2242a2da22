"""I/O: the first page: what is at risk now, beside the path that the risk comes from.

Three readings, so that no panel waits for the slowest: money and alerts first, from which the path
and the heatmap follow.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from dash import Dash, Input, Output, State, dcc, html
from dash.exceptions import PreventUpdate

from attribution.core.segments import CLASSES
from dashboard.health.items import UNDECLARED
from dashboard.pages.alerts.lines import ROW_PX, alert_columns, alert_lines, as_of
from dashboard.pages.context import PageContext, in_browser
from dashboard.pages.overview import heat, path, start
from dashboard.pages.overview.cards import (
    late_card,
    lost_card,
    lost_title,
    money_warnings,
    now_card,
    velocity_card,
    warned,
)
from dashboard.pages.overview.start import Start
from dashboard.pages.overview.top import TopReading, from_json, to_json, top_of
from dashboard.pages.parts import Component, chart, grid, kpi, legend, page, panel, zoned
from dashboard.pages.scope.tools import register_scope, scope_outputs, scope_tools, scope_view
from dashboard.pages.states import SHARED_S, Reading, answering, state, state_outputs
from dashboard.read.alerts.listing import AtRisk, alerts_at_risk, with_people
from dashboard.read.alerts.losses import Loss, losses
from dashboard.read.alerts.rows import AlertRow
from dashboard.read.rows import Attributed, Range, Revenue
from dashboard.read.scope import Scope, parse_scope
from dashboard.units import UNKNOWN, count

PATH = "/"
NAME = "overview"
TITLE = "Overview"
IN_MENU = True
TICK = "overview-tick"
SHOWN_MAX: Final = 50  # of the sum all count
_CARDS = ("now", "lost", "late", "velocity")
MONEY = (
    *scope_outputs(NAME),
    *(f"overview-{card}-{part}.children" for card in _CARDS for part in ("value", "note")),
    "overview-now-title.children",
    "overview-lost-title.children",
    "overview-alerts.rowData",
    "overview-alerts-note.children",
    "overview-top.data",
    *start.OUTPUTS,
)
READINGS = ("overview-alerts", "overview-path", "overview-heatmap")
OUTPUTS = (
    *MONEY,
    *path.OUTPUTS,
    *heat.OUTPUTS,
    *(output for reading in READINGS for output in state_outputs(reading)),
)


@dataclass(frozen=True, slots=True)
class MoneyRead:
    """What the first reading found: everything in dollars."""

    scope: Scope
    view: Range
    now_ns: int
    actions: list[str]
    regions: list[str]
    revenue: Revenue
    lost: Loss | None  # since the day began
    day_from_ns: int
    attributed: Attributed
    alerts: list[AlertRow]
    at_risk: AtRisk  # by those that fire
    start: Start | None  # of a store without a decision
    silence: str  # since when no decision came, in words; "" while they come
    unwatched: str  # that no rule could tell of anything at risk
    in_part: dict[str, str]  # why money is not all: the whole of each reason by its short form
    warnings: dict[str, str]  # ... and what contradicts what every dollar rests on

    @property
    def top(self) -> TopReading:
        """Return what the other panels need of it."""
        return top_of(self.alerts[:SHOWN_MAX], self.view.to_ns, self.revenue.first_ns)


def layout(query: str, context: PageContext) -> Component:
    """Return the page as it stands before the first reading."""
    headings = (
        ("overview-now", "Money at risk now"),
        ("overview-lost", "Lost today"),
        ("overview-latency", "Decision p50"),
        ("overview-late", "Late"),
        ("overview-velocity", "Revenue velocity"),
        ("overview-evidence", "Packets and clocks"),
    )
    unwatched = context.unwatched and f"; {context.unwatched}"
    alerts = grid(
        "overview-alerts",
        zoned(alert_columns(), parse_scope(query).zone),
        320,
        f"No alert is open, and none changed in this window{unwatched}.",
        label="Alerts by revenue at risk",
        options={"rowHeight": ROW_PX},
    )
    return page(
        NAME,
        TITLE,
        start.layout(context),
        html.Div([kpi(*card) for card in headings], className="kpis overview-kpis"),
        html.Div(
            [
                panel(
                    "overview-alerts",
                    "Alerts by revenue at risk",
                    state("overview-alerts"),
                    alerts,
                    wide="span-7",
                ),
                panel(
                    "overview-path",
                    "Reference decision path",
                    state("overview-path"),
                    html.Div("", id="overview-path-said", className="said"),
                    legend(*CLASSES),
                    *chart("overview-path", "Reference decision path", 222),
                    wide="span-5",
                ),
                panel(
                    "overview-heatmap",
                    "Decision latency",
                    state("overview-heatmap"),
                    *chart("overview-heatmap", "Decision latency over time", 150),
                    wide="span-12",
                ),
            ],
            className="panels",
        ),
        dcc.Interval(id=TICK, interval=round(context.config.refresh_s * 1000)),
        dcc.Store(id="overview-top"),
        dcc.Store(id="overview-pick"),
        dcc.Store(id="overview-heatmap-go"),
        dcc.Store(id="overview-heatmap-range"),
        tools=scope_tools(NAME, parse_scope(query)),
    )


def register(app: Dash, context: PageContext) -> None:
    """Attach this page's callbacks to `app`."""

    def refresh(query: str | None, _ticks: int | None) -> Reading:
        money = read(context, query or "")
        return Reading(show(money, context.prior_basis), missing(money))

    def refresh_path(kept: Any, pick: Any, query: str | None) -> Reading:  # noqa: ANN401  what a browser kept
        if not kept:
            raise PreventUpdate
        picked = pick if isinstance(pick, dict) else {}
        panel = path.read(
            context,
            parse_scope(query),
            from_json(kept),
            str(picked.get("id", "")),
            is_pinned=bool(picked.get("pinned")),
        )
        return Reading(path.show(panel))

    def refresh_heat(kept: Any, query: str | None) -> Reading:  # noqa: ANN401  what a browser kept
        if not kept:
            raise PreventUpdate
        return Reading(heat.show(heat.read(context, parse_scope(query), from_json(kept))))

    search, kept = State("url", "search"), Input("overview-top", "data")
    inputs = [Input("url", "search"), Input(TICK, "n_intervals")]
    # Where money cannot be read the others look for themselves, without an alert to follow.
    alone = partial(_alone, context)
    answer = partial(answering, app, context, keep_s=SHARED_S, path=PATH)
    answer(READINGS[0], MONEY, inputs, refresh, tick=TICK, unread=alone)
    picks = [kept, Input("overview-pick", "data"), search]
    answer(READINGS[1], path.OUTPUTS, picks, refresh_path)
    answer(READINGS[2], heat.OUTPUTS, [kept, search], refresh_heat)
    register_scope(app, NAME, TICK, context.clock)
    in_browser(
        app,
        "brush",
        Output("overview-heatmap-range", "data"),
        Input("overview-heatmap", "relayoutData"),
        State("overview-heatmap", "figure"),
    )
    in_browser(
        app,
        "openCell",
        Output("overview-heatmap-go", "data"),
        Input("overview-heatmap", "clickData"),
        State("overview-heatmap", "figure"),
    )


def read(context: PageContext, query: str) -> MoneyRead:
    """Read what is at risk; the other panels look at the same time."""
    reader, scope = context.reader, parse_scope(query)
    now_ns = context.clock.now_ns()
    view = scope.range_at(now_ns)
    actions, regions = context.scopes(view.to_ns)
    day_from_ns = scope.zone.day_ns(view.to_ns)
    today = Range(day_from_ns, view.to_ns, view.action, view.region)
    health = {item.name: item for item in context.items()}
    in_part, warnings = money_warnings(health)
    revenue = reader.revenue(view)
    alerts, at_risk = alerts_at_risk(reader, view)
    attributed = context.attributed(now_ns)
    return MoneyRead(
        scope=scope,
        view=view,
        now_ns=now_ns,
        actions=actions,
        regions=regions,
        revenue=revenue,
        start=start.read(context, in_window=revenue.decisions),
        lost=losses(reader, [today])[0],
        day_from_ns=day_from_ns,
        attributed=attributed,
        alerts=[
            alert
            for alert in with_people(alerts, context.alert_state, now_ns, view.to_ns)
            if alert.is_of(view.action, view.region)
            # Of a class that has gone quiet and was well there is nothing to say here.
            and (alert.state != UNKNOWN or alert.is_open_and_silent)
        ],
        at_risk=at_risk,
        silence=_silence(
            context, scope, revenue, attributed, now_ns, is_undeclared=UNDECLARED in health
        ),
        unwatched=context.unwatched,
        in_part=in_part,
        warnings=warnings,
    )


def _silence(
    context: PageContext,
    scope: Scope,
    revenue: Revenue,
    attributed: Attributed,
    now_ns: int,
    *,
    is_undeclared: bool,
) -> str:
    """Return since when no decision came, "" where one did within what alerts call no data.

    Or that none of the range is of known value: no alert with money could fire. Judged at the end
    of a range, however long that is. `is_undeclared`: traces come, and none is a decision.
    """
    view = scope.range_at(now_ns)
    is_all = scope.until_ns is None and not (view.action or view.region)
    last_ns = attributed.newest_ns if is_all else revenue.last_ns
    though = ", though traces come: see Health" if is_undeclared else ""
    if not last_ns:
        return f"no decision in this window{though}"
    until_ns = min(attributed.until_ns, view.to_ns)
    if not context.alerts.is_silent(last_ns, until_ns):
        is_valued = not revenue.decisions or revenue.unvalued < revenue.decisions
        return "" if is_valued else f"no decision of known value in {scope.window}"
    return f"no decision since {scope.zone.dated_at(last_ns, now_ns)}{though}"


def show(money: MoneyRead, prior_basis: str) -> dict[str, object]:
    """Return what was read: a value for each of MONEY."""
    revenue, to_ns, zone = money.revenue, money.view.to_ns, money.scope.zone
    past = as_of(zone, money.now_ns, to_ns)
    lost = lost_card(money.lost, (money.day_from_ns, to_ns), zone, prior_basis)
    silence = money.silence or money.unwatched
    now = now_card(money.at_risk, silence, past, revenue.unvalued)
    texts_of = {
        "now": warned(now, money.in_part),
        "lost": warned(lost, money.warnings),
        "late": late_card(revenue, money.scope.window),
        "velocity": warned(velocity_card(revenue, money.silence), money.warnings),
    }
    return {
        **scope_view(NAME, money.scope, money.actions, money.regions, to_ns, money.attributed),
        **{
            f"overview-{card}-{part}.children": text
            for card, texts in texts_of.items()
            for part, text in zip(("value", "note"), texts, strict=True)
        },
        "overview-now-title.children": "Money at risk" if past else "Money at risk now",
        "overview-lost-title.children": lost_title(zone, money.now_ns, money.day_from_ns),
        "overview-alerts.rowData": alert_lines(money.alerts[:SHOWN_MAX], zone, money.now_ns, to_ns),
        "overview-alerts-note.children": _incidents(len(money.alerts)),
        "overview-top.data": to_json(money.top),
        **start.show(money.start),
    }


def missing(money: MoneyRead) -> str:
    """Return what the sum is without, "" for nothing."""
    silent = sum(alert.state == UNKNOWN for alert in money.alerts)
    if not silent:
        return ""
    unjudged = f"{count(silent)} of {count(len(money.alerts))} alerts cannot be judged"
    why = "their data stopped, or what lateness costs is unknown"
    return f"{unjudged}: {why}; the sum is without them"


def _alone(context: PageContext) -> dict[str, object]:
    return {"overview-top.data": to_json(TopReading(context.clock.now_ns(), 0, ()))}


def _incidents(alerts: int) -> str:
    hint = "point at a row to see its path; click it to pin"
    return f"the {SHOWN_MAX} dearest of {count(alerts)} · {hint}" if alerts > SHOWN_MAX else hint
