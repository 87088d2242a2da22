"""I/O: one alert: its cause, its dollars, what happened to it, and what people do about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import unquote

from dash import Dash, Input, State, dcc, html

from dashboard.pages.alerts.acts import ACT_OUTPUTS, act_parts, act_values, register_acts
from dashboard.pages.alerts.lines import state_of
from dashboard.pages.alerts.links import (
    alert_href,
    decisions_href,
    explore_href,
    is_of_failures,
    like_it_href,
    overview_href,
    safe_href,
)
from dashboard.pages.charts.intervals import interval_bar, interval_text
from dashboard.pages.context import PageContext
from dashboard.pages.decisions.lines import decision_href
from dashboard.pages.parts import Component, facts_list, kpi, page, panel
from dashboard.pages.states import Reading, answering, state, state_outputs
from dashboard.read.alerts.delays import delays_text
from dashboard.read.alerts.detail import ELSEWHERE, AlertDetail, Companion, rate_of_when, read_alert
from dashboard.read.alerts.listing import IncidentSum
from dashboard.read.alerts.rows import OPEN_STATES
from dashboard.read.alerts.timeline import Moment
from dashboard.read.alerts.wording import after, companion_dollars, incident_of, packets_of
from dashboard.read.packet_rows import KeptPackets
from dashboard.read.scope import latency_text, parse_scope
from dashboard.units import (
    UNKNOWN,
    Zone,
    count,
    ms,
    percent,
    span_of_time,
    usd,
    without_text,
)

PATH = "/alerts/{id}"
TITLE = "Alert"
IN_MENU = False  # it is reached from the list
TICK = "alert-tick"
_PREFIX: Final = "/alerts/"
# Whatever somebody wrote into the address; the ids of ours are 32 letters.
_ID_MAX: Final = 200
# The dearest others of an incident; the rest is folded: there may be a hundred.
_COMPANIONS_SHOWN: Final = 5
READ = (
    "alert-title.children",
    "alert-state.children",
    "alert-risk-value.children",
    "alert-risk-note.children",
    "alert-lost-value.children",
    "alert-lost-note.children",
    "alert-budget-value.children",
    "alert-budget-note.children",
    "alert-facts.children",
    "alert-others-box.hidden",
    "alert-others-summary.children",
    "alert-others.children",
    "alert-exemplars.children",
    "alert-exemplars-note.children",
    "alert-timeline.children",
    "alert-timeline-note.children",
    *ACT_OUTPUTS,
)
OUTPUTS = (*READ, *state_outputs("alert-page"))


def layout(query: str, context: PageContext) -> Component:
    """Return the page as it stands before the first reading."""
    del query
    cards = [
        kpi("alert-risk", "At risk"),
        kpi("alert-lost", "Lost so far"),
        kpi("alert-budget", "Share of the budget"),
    ]
    return page(
        "alert",
        TITLE,
        html.Div(cards, className="kpis alert-kpis"),
        state("alert-page"),
        *act_parts(),
        html.Div(
            [
                panel(
                    "alert-facts",
                    "What is known",
                    html.Div(id="alert-facts", className="alert-facts"),
                    _others_box(),
                    wide="span-7",
                ),
                panel(
                    "alert-exemplars",
                    "Decisions that show it",
                    html.Div(id="alert-exemplars", className="alert-exemplars"),
                    wide="span-5",
                ),
                panel(
                    "alert-timeline",
                    "Timeline",
                    html.Div(id="alert-timeline", className="scroll timeline-box"),
                    wide="span-12",
                ),
            ],
            className="panels",
        ),
        dcc.Interval(id=TICK, interval=round(context.config.refresh_s * 1000)),
        tools=[html.Div(id="alert-state", className="tools")],
    )


def register(app: Dash, context: PageContext) -> None:
    """Attach this page's callbacks to `app`."""

    def refresh(path: str | None, _ticks: int | None, _acted: object, query: str | None) -> Reading:
        return show(context, episode_of(path or ""), parse_scope(query).zone)

    inputs = [
        Input("url", "pathname"),
        Input(TICK, "n_intervals"),
        Input("alert-acted", "data"),
        State("url", "search"),
    ]
    answering(app, context, "alert-page", READ, inputs, refresh, tick=TICK)
    register_acts(app)


def episode_of(path: str) -> str:
    """Return the id in an address, "" where there is none."""
    if not path.startswith(_PREFIX):
        return ""
    return unquote(path.removeprefix(_PREFIX), errors="replace")[:_ID_MAX]


def show(context: PageContext, episode_id: str, zone: Zone) -> Reading:
    """Read one alert: a value for each of READ."""
    now_ns = context.clock.now_ns()
    found = read_alert(
        context.reader,
        context.alert_state,
        context.alerts,
        context.reference,
        episode_id,
        now_ns,
        zone,
    )
    if found is None:
        return Reading(_unknown(episode_id))
    refusal = context.refusal()
    if context.alert_state is None:
        refusal = f"{ELSEWHERE[0].upper()}{ELSEWHERE[1:]}."
    shown = {
        "alert-title.children": found.cause,
        "alert-state.children": _state(found, now_ns, zone),
        **_money(found, zone, now_ns),
        "alert-facts.children": _facts(found, zone, now_ns),
        **_others(found, zone, now_ns),
        "alert-exemplars.children": _exemplars(found, zone, now_ns),
        "alert-exemplars-note.children": _ways(found, context, now_ns),
        "alert-timeline.children": _timeline(found.timeline, zone),
        "alert-timeline-note.children": f"newest first, times in {zone.city}",
        **act_values(found, refusal, zone, now_ns),
    }
    return Reading(shown, "; ".join(found.unknown))


def _unknown(episode_id: str) -> dict[str, object]:
    shown: dict[str, object] = dict.fromkeys(READ, "")
    shown |= act_values(None, "", Zone(), 0)
    shown["alert-others-box.hidden"] = True
    shown["alert-title.children"] = f"No alert has the id {episode_id!r}"
    shown["alert-facts.children"] = html.P(
        [
            "An alert is here some seconds after it began, for 395 days. Look for it in ",
            dcc.Link("the list of alerts", href="/alerts"),
            ".",
        ]
    )
    for card in ("risk", "lost", "budget"):
        shown[f"alert-{card}-value.children"] = UNKNOWN
    return shown


def _state(alert: AlertDetail, now_ns: int, zone: Zone) -> list[Component]:
    since_ns = alert.since_ns if alert.is_open else alert.at_ns
    begin = f"since {zone.second(since_ns)} {zone.mark(since_ns)}"
    length_ns = (now_ns if alert.is_open else alert.at_ns) - alert.since_ns
    length = span_of_time(max(length_ns, 0))
    lasted = length if alert.is_open else f"after {length}"
    words = state_of(alert.state, is_shadow=alert.is_shadow, has_fired=alert.has_fired)
    return [
        html.Span(words, className=f"tag tag-{alert.state}"),
        html.Span(alert.severity, className=f"tag tag-{alert.severity}"),
        html.Span(f"{begin}, {lasted}", className="note"),
        dcc.Link("Overview at that time", href=overview_href(alert), className="note"),
        dcc.Link("those like it in 7 days", href=like_it_href(alert), className="note"),
    ]


# What the decisions of such an alert lose is known all the same, and told where it is counted.
_NO_DOLLARS: Final = "alerts of a rule of kind dollar_burn say what decisions lose"


def _money(alert: AlertDetail, zone: Zone, now_ns: int) -> dict[str, object]:
    """Return the three cards; what nobody knows is said so, and is never zero dollars."""
    rate, low, high = alert.usd_per_h, alert.low_usd_per_h, alert.high_usd_per_h
    has_dollars = alert.budget_usd is not None
    at_risk: object = UNKNOWN
    note: object = "nobody knows what this costs" if has_dollars else "this rule counts no money"
    if not alert.is_open:
        at_risk, note = "over", f"ended at {zone.dated_at(alert.at_ns, now_ns)}"
    if rate is not None and low is not None and high is not None:
        at_risk = f"{usd(rate)} / h"
        said = rate_of_when(alert, lambda ns: zone.dated_at(ns, now_ns))
        said += without_text(alert.now_missing_ns)
        note = [interval_bar(rate, low, high), f"{interval_text(low, high)} · {said}"]
    lost: object = UNKNOWN
    lost_note: object = "of no decision of it is the value known" if has_dollars else _NO_DOLLARS
    if (
        alert.lost_usd is not None
        and alert.lost_low_usd is not None
        and alert.lost_high_usd is not None
    ):
        lost = usd(alert.lost_usd)
        ends = interval_text(alert.lost_low_usd, alert.lost_high_usd)
        bar = interval_bar(alert.lost_usd, alert.lost_low_usd, alert.lost_high_usd)
        lost_note = [bar, f"{ends} · from {zone.dated_at(alert.lost_from_ns, now_ns)}"]
    share: str = UNKNOWN
    share_note = "this rule has no budget of money"
    if alert.budget_usd is not None:
        share_note = f"of {usd(alert.budget_usd)} in {alert.budget_days:g} days"
        share = UNKNOWN if alert.budget_share is None else percent(alert.budget_share)
    return {
        "alert-risk-value.children": at_risk,
        "alert-risk-note.children": note,
        "alert-lost-value.children": lost,
        "alert-lost-note.children": lost_note,
        "alert-budget-value.children": share,
        "alert-budget-note.children": share_note,
    }


def _facts(alert: AlertDetail, zone: Zone, now_ns: int) -> Component:
    """Return what is known: first what to do, and the others of the incident at the end."""

    def at(ns: int) -> str:
        return zone.dated_at(ns, now_ns)

    suspect = alert.put_down_to(at) or f"no segment stands out (as of {at(alert.blamed_ns)})"
    why = html.Span(f"at {at(alert.reason_ns)}: {alert.reason}", className="whole-line")
    facts: list[tuple[str, object]] = [
        ("Cause", html.Span(suspect, className="whole-line")),
        ("Who looks after it", _owner(alert, zone, now_ns)),
    ]
    if alert.explained_by:
        facts.append(("Explained by", f"{alert.explained_by}, which tell of its loss"))
    if delays := delays_text(alert.delays):
        facts.append(("Delayed on purpose", html.Span(delays, className="whole-line")))
    if alert.note:
        facts.append(("Note of the rule", html.Span(alert.note, className="whole-line")))
    facts += [
        ("Runbook", _runbook(alert.runbook_url)),
        ("A webhook would", alert.reroute or "propose nothing"),
        ("Why", why),
        ("Rule", f"{alert.rule} ({alert.severity})"),
        ("Money rests on", f"basis {alert.basis}, slope {_slope(alert.slope_source)}"),
        ("Packets", _packets(alert.packets)),
    ]
    if alert.silences:
        held = "; ".join(
            f"silence {each.id} of {each.actor} until {at(each.ends_ns)}: {each.reason}"
            for each in alert.silences
        )
        facts.append(("Hidden by", html.Span(held, className="whole-line")))
    if alert.incident_sum is not None:
        facts.append(("Incident", _incident(alert.incident_sum, alert.incident, at)))
    return facts_list(facts)


def _slope(source: str) -> str:
    return "assumed (not your data)" if source == "prior" else source or UNKNOWN


def _incident(
    together: IncidentSum, companions: Sequence[Companion], at: Callable[[int], str]
) -> Component:
    """Return what an incident costs, and the dearest few of the others of it."""
    dearest = [_companion(each, at) for each in companions[:_COMPANIONS_SHOWN]]
    return html.Div([html.Div(incident_of(together, at)), *dearest], className="whole-line")


def _others_box() -> Component:
    """Return the rest of the incident, folded; no reading replaces it, which would shut it."""
    parts = [html.Summary(id="alert-others-summary"), html.Div(id="alert-others")]
    return html.Details(parts, id="alert-others-box", className="twin", hidden=True)


def _others(alert: AlertDetail, zone: Zone, now_ns: int) -> dict[str, object]:
    rest = alert.incident[_COMPANIONS_SHOWN:]
    links = [_companion(each, lambda ns: zone.dated_at(ns, now_ns)) for each in rest]
    return {
        "alert-others-box.hidden": not rest,
        "alert-others-summary.children": f"{count(len(rest))} more of the incident",
        "alert-others.children": links,
    }


def _companion(of: Companion, at: Callable[[int], str]) -> Component:
    where = "/".join(name for name in (of.action, of.region) if name) or "all data"
    began = "since" if of.state in OPEN_STATES else "began at"
    dollars = companion_dollars(of.usd_per_h, of.lost_usd)
    text = f"{of.rule}, {where}, {of.state}, {dollars}, {began} {at(of.started_ns)}"
    return html.Div(dcc.Link(text, href=alert_href(of.episode_id)))


def _owner(alert: AlertDetail, zone: Zone, now_ns: int) -> str:
    if alert.ack is None:
        return "not known here" if ELSEWHERE in alert.unknown else "nobody yet"
    return (
        f"{alert.ack.actor}, since {zone.dated_at(alert.ack.at_ns, now_ns)}{after(alert.ack.text)}"
    )


def _packets(packets: KeptPackets | None) -> object:
    """Return how likely an alert can be rebuilt from packets, and in full what that rests on."""
    grounds = "" if packets is None else "; ".join(packets.grounds)
    return html.Span(packets_of(packets), title=grounds)


def _runbook(url: str) -> object:
    if not url:
        return "none in its settings"
    href = safe_href(url)
    return html.A(url, href=href, target="_blank", rel="noreferrer") if href else url


def _ways(alert: AlertDetail, context: PageContext, now_ns: int) -> list[Component]:
    """Return where to go on from the decisions that show it."""
    over, failed = alert.slow_over_ms, is_of_failures(alert)
    late = "late ones" if over is None else f"over {latency_text(over)} ms"
    found = [dcc.Link(f"all {'failed ones' if failed else late}", href=decisions_href(alert))]
    if alert.exemplars and (alert.blamed or not failed):
        href = explore_href(alert, context.reference.target_ns(alert.of_action), now_ns)
        found += [" · ", dcc.Link("what do they share?", href=href)]
    return found


def _exemplars(alert: AlertDetail, zone: Zone, now_ns: int) -> Component:
    if not alert.exemplars:
        over = alert.slow_over_ms
        which = "failed or was late" if over is None else f"took over {latency_text(over)} ms"
        return html.P(f"No decision of its time {which}.", className="note")
    return html.Ul(
        [
            html.Li(
                [
                    dcc.Link(
                        f"{ms(each.total_ns)}"
                        + (f", {ms(each.segment_ns)} in {alert.blamed}" if alert.blamed else ""),
                        href=decision_href(each.decision_id, each.ingress_ns),
                        className="exemplar-link",
                    ),
                    html.Div(
                        f"{zone.dated_at(each.ingress_ns, now_ns)} · "
                        + ("failed · " if each.is_error else "")
                        + ("with packets" if each.packets else "no packets")
                        + f" · {each.decision_id}",
                        className="note",
                    ),
                ]
            )
            for each in alert.exemplars
        ]
    )


def _timeline(moments: list[Moment], zone: Zone) -> Component:
    return html.Ol(
        [
            html.Li(
                [
                    html.Time(zone.second(each.at_ns), className="note"),
                    html.Span(each.kind, className=f"tag moment-{each.kind}"),
                    html.Span(f"{each.actor}: {each.text}" if each.actor else each.text),
                ]
            )
            for each in moments
        ],
        className="timeline",
    )
