"""I/O: the list of alerts: what fires and fired, cannot be judged, is silenced, or others sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dash import Dash, Input, Output, State, dcc, html

from alerts.people.external import ExternalAlert, ExternalAlerts
from alerts.people.silences import Silence, Silences
from collector.core.errors import InputError, StoreUnavailableError
from dashboard.pages.alerts.lines import (
    EXTERNAL_COLUMNS,
    ROW_PX,
    UNKNOWN_COLUMNS,
    alert_columns,
    alert_lines,
    as_of,
    external_line,
    silences_table,
)
from dashboard.pages.context import PageContext, in_browser
from dashboard.pages.parts import Component, choices, grid, page, panel, picker, scrolled, zoned
from dashboard.pages.scope.tools import register_scope, scope_outputs, scope_tools, scope_view
from dashboard.pages.states import Reading, answering, state, state_outputs
from dashboard.read.alerts.counts import count_alerts
from dashboard.read.alerts.listing import alerts_of_state, listed_alerts, with_people
from dashboard.read.alerts.rows import AlertRow
from dashboard.read.reader import ALERTS_MAX
from dashboard.read.rows import Attributed, Range
from dashboard.read.scope import Scope, parse_scope
from dashboard.units import UNKNOWN, count, counted

PATH = "/alerts"
NAME = "alerts"
TITLE = "Alerts"
IN_MENU = True
TICK = "alerts-tick"
EXTERNAL_MAX: Final = 500
FILTERS: Final = ("state", "rule", "severity")
_STATES: Final = ("firing", "cooling", "pending", "unknown", "resolved")
_SEVERITIES: Final = ("page", "ticket")
READ = (
    *scope_outputs(NAME),
    "alerts-rule.data",
    "alerts-list.rowData",
    "alerts-list-note.children",
    "alerts-unknown.rowData",
    "alerts-unknown-note.children",
    "alerts-external.rowData",
    "alerts-external-note.children",
    "alerts-silences-box.hidden",
    "alerts-silences.children",
    "alerts-silences-note.children",
)
OUTPUTS = (*READ, *state_outputs("alerts-list"))


@dataclass(frozen=True, slots=True)
class AlertsRead:
    """Everything that one reading of the page found."""

    judged: list[AlertRow]
    unknown: list[AlertRow]
    external: list[ExternalAlert]
    silences: list[Silence]  # that hold at the end of the range, or are to come then
    left_out: int  # alerts of the time, beyond as many as are read
    actions: list[str]
    regions: list[str]
    attributed: Attributed
    away: str  # why the store did not answer, "" where it did


def layout(query: str, context: PageContext) -> Component:
    """Return the page as it stands before the first reading."""
    scope = parse_scope(query)
    rules = [rule.name for rule in context.alerts.all_rules]
    pickers = html.Div(
        [
            picker("alerts-state", "Any state", _STATES, scope.filter("state"), 150),
            picker("alerts-rule", "Any rule", rules, scope.filter("rule"), 150),
            picker("alerts-severity", "Any severity", _SEVERITIES, scope.filter("severity"), 150),
            dcc.Store(id="alerts-filters", data=list(FILTERS)),
        ],
        className="tools",
    )
    tall = {"rowHeight": ROW_PX}
    unwatched = context.unwatched and f"; {context.unwatched}"
    return page(
        NAME,
        TITLE,
        state("alerts-list"),
        panel(
            "alerts-list",
            "By money at risk, then lost",
            pickers,
            grid(
                "alerts-list", zoned(alert_columns(), scope.zone), 220,
                f"No alert is open, and none changed in this time{unwatched}. Widen it, clear the "
                "filters, or look at Health for what arrives; before the first decision, at the "
                "Overview.",
                label="Alerts by money at risk, then lost", options=tall,
                grows=True,
            ),
        ),
        panel(
            "alerts-unknown",
            "Cannot be judged",
            grid(
                "alerts-unknown", zoned(UNKNOWN_COLUMNS, scope.zone), 124,
                "Every alert can be judged.",
                label="Alerts that cannot be judged", options=tall, grows=True,
            ),
            wide="greyed",
        ),
        html.Div(
            panel(
                "alerts-silences",
                "Silences",
                scrolled("alerts-silences", "Silences, as a table"),
            ),
            id="alerts-silences-box",
            hidden=True,
        ),
        panel(
            "alerts-external",
            "Pushed by others",
            grid(
                "alerts-external", zoned(EXTERNAL_COLUMNS, scope.zone), 124,
                "Nothing was pushed to /api/v2/alerts in this time.",
                label="Alerts of others", options=tall, grows=True,
            ),
        ),
        dcc.Interval(id=TICK, interval=round(context.config.refresh_s * 1000)),
        tools=scope_tools(NAME, scope),
    )  # fmt: skip


def register(app: Dash, context: PageContext) -> None:
    """Attach this page's callbacks to `app`."""

    def refresh(query: str | None, _ticks: int | None) -> Reading:
        return show(context, parse_scope(query))

    inputs = [Input("url", "search"), Input(TICK, "n_intervals")]
    # Not shared: whoever acknowledged one comes back here at once.
    answering(app, context, "alerts-list", READ, inputs, refresh, tick=TICK)
    register_scope(app, NAME, TICK, context.clock)
    controls = [(f"alerts-{name}", "value") for name in FILTERS]
    in_browser(
        app,
        "filters",
        [Output(*control) for control in controls],
        Input("url", "search"),
        *(Input(*control) for control in controls),
        State("alerts-filters", "data"),
    )


def read(context: PageContext, scope: Scope) -> AlertsRead:
    """Read what the page shows.

    Raises:
        InputError: the address says a state that is none.
    """
    if (state := scope.filter("state")) not in ("", *_STATES):
        raise InputError(f"state={state[:40]!r} is none; give one of {', '.join(_STATES)}")
    now_ns = context.clock.now_ns()
    seen = scope.range_at(now_ns)
    away, attributed = "", Attributed(0)
    offered: tuple[list[str], list[str]] = ([], [])
    try:
        found, total, offered, attributed = _stored(context, seen, now_ns)
    except StoreUnavailableError as error:
        if context.alert_state is None:
            raise
        found, away = alerts_of_state(context.alert_state, now_ns), str(error).splitlines()[0]
        total = len(found)
    alerts = [alert for alert in found if _is_wanted(alert, scope)]
    external: list[ExternalAlert] = []
    silences: list[Silence] = []
    if context.alert_state is not None:
        to_ns = min(seen.to_ns, now_ns)
        made = Silences(context.alert_state).all(now_ns)
        silences = [each for each in made if each.made_ns <= to_ns < each.ends_ns]
        known = ExternalAlerts(context.alert_state).seen(seen.from_ns, to_ns)
        # Of a range of the past they are those that had begun, as they stood at its end.
        external = [each for each in known if to_ns == now_ns or each.starts_ns <= to_ns]
    return AlertsRead(
        judged=[alert for alert in alerts if alert.state != UNKNOWN],
        unknown=[alert for alert in alerts if alert.state == UNKNOWN],
        external=[each for each in external if _is_wanted_external(each, scope)],
        silences=silences,
        left_out=total - len(found),
        actions=offered[0],
        regions=offered[1],
        attributed=attributed,
        away=away,
    )


def _stored(
    context: PageContext, seen: Range, now_ns: int
) -> tuple[list[AlertRow], int, tuple[list[str], list[str]], Attributed]:
    """Read what the store knows: alerts, the names of pickers, and how complete both are."""
    listed = listed_alerts(context.reader, seen)
    found = with_people(listed.alerts, context.alert_state, now_ns, seen.to_ns)
    offered = context.scopes(seen.to_ns)
    return found, listed.total, offered, context.attributed(now_ns)


def show(context: PageContext, scope: Scope) -> Reading:
    """Read the page: a value for each of READ."""
    found, now_ns = read(context, scope), context.clock.now_ns()
    seen = scope.range_at(now_ns)
    hidden = found.left_out + len(found.judged[ALERTS_MAX:])
    left_out = f", without {count(hidden)} that cost less" if hidden else ""
    past = as_of(scope.zone, now_ns, seen.to_ns)
    when = f" {past}" if past else ""
    counts = count_alerts((*found.judged, *found.unknown)).text
    shadows = sum(alert.is_shadow for alert in found.unknown)
    in_shadow = f", {count(shadows)} in shadow" if shadows else ""
    rules = {rule.name for rule in context.alerts.all_rules}
    rules |= {alert.rule for alert in (*found.judged, *found.unknown)}
    shown = {
        **scope_view(
            NAME,
            scope,
            found.actions,
            found.regions,
            seen.to_ns,
            found.attributed,
            is_away=bool(found.away),
        ),
        "alerts-rule.data": choices("Any rule", sorted(rules), scope.filter("rule")),
        "alerts-list.rowData": alert_lines(
            found.judged[:ALERTS_MAX], scope.zone, now_ns, seen.to_ns
        ),
        "alerts-list-note.children": (f"{_alerts(len(found.judged))}, {counts}{when}{left_out}"),
        "alerts-unknown.rowData": alert_lines(
            found.unknown[:ALERTS_MAX], scope.zone, now_ns, seen.to_ns
        ),
        "alerts-unknown-note.children": (
            f"{_alerts(len(found.unknown))}{in_shadow}: "
            "their data stopped, or what lateness costs is unknown"
        ),
        "alerts-external.rowData": [
            external_line(each, scope.zone, now_ns) for each in found.external[:EXTERNAL_MAX]
        ],
        "alerts-external-note.children": (
            f"{_alerts(len(found.external))} of Prometheus, vmalert or Grafana, without money"
        ),
        "alerts-silences-box.hidden": not found.silences,
        "alerts-silences.children": silences_table(found.silences, scope.zone, now_ns),
        "alerts-silences-note.children": [
            html.Code("millworth alerts unsilence NUMBER"),
            " ends one",
        ],
    }
    away = f"the store is away, so each is as of its last change ({found.away[:160]})"
    return Reading(shown, away if found.away else "")


def _is_wanted(alert: AlertRow, scope: Scope) -> bool:
    names = {"state": alert.state, "rule": alert.rule, "severity": alert.severity}
    is_as_chosen = all(scope.filter(name) in ("", value) for name, value in names.items())
    return is_as_chosen and alert.is_of(scope.action, scope.region)


def _is_wanted_external(alert: ExternalAlert, scope: Scope) -> bool:
    # A label of the same name is all that they have in common with ours.
    state = "firing" if alert.is_firing else "resolved"
    named = {"action": scope.action, "region": scope.region, "severity": scope.filter("severity")}
    return (
        scope.filter("state") in ("", state)
        and not scope.filter("rule")
        and all(value in ("", alert.labels.get(name, "")) for name, value in named.items())
    )


def _alerts(number: int) -> str:
    return counted(number, "alert")
