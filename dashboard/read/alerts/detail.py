"""I/O: all that is known of one alert, for its page, its export and `/api/v1/alerts/ID/report`.

It rests on the alert state, and on the store for the dollars and the exemplars: what the store
cannot say while it is away is unknown, and the rest is there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import takewhile
from typing import Any, Final

from alerts.config import AlertsConfig
from alerts.people.notes import Note, Notes, ack_of
from alerts.people.silences import Silence, Silences
from alerts.rows import AlertEvent, failing_text
from alerts.rules.base import RuleConfig
from alerts.rules.ledger import RATE_S
from alerts.rules.tiers import DollarBurnConfig
from alerts.state.deliveries import Deliveries, Delivery
from alerts.state.owned import explained_by
from alerts.state.sqlite import AlertStore
from alerts.state.transitions import FIRED, Phase
from collector.core.errors import StoreUnavailableError
from collector.core.times import NS_PER_DAY, NS_PER_S
from dashboard.read.alerts.delays import InjectedDelay, injected_delays
from dashboard.read.alerts.exemplars import Exemplar, exemplars, slow_over_ms
from dashboard.read.alerts.listing import (
    IncidentSum,
    dearest_first,
    explaining_event,
    incident_sum,
    interval_of,
    rate_of,
    row_of,
    with_packets,
)
from dashboard.read.alerts.losses import with_losses
from dashboard.read.alerts.rows import OPEN_STATES, AlertRow
from dashboard.read.alerts.timeline import Moment, blamed, timeline
from dashboard.read.alerts.wording import cause_of, segment_of
from dashboard.read.packet_rows import KeptPackets
from dashboard.read.reader import ALERTS_COUNTED_MAX, Reader
from dashboard.read.rows import Range, Reference
from dashboard.units import Zone, span_of_time

EXEMPLARS_MAX: Final = 3
MOMENTS_MAX: Final = 200
INCIDENT_MAX: Final = 100
_INCIDENT_NS: Final = 7 * NS_PER_DAY
_EVENTS_MAX: Final = 1_000
_UTC: Final = Zone()
ELSEWHERE: Final = (
    "what people do is kept in alerts.state_path where rules are evaluated, and it is not there "
    "for this process"
)


@dataclass(frozen=True, slots=True)
class MatchingSilence:
    """A silence that would hide an alert, were it to fire while it holds."""

    id: int
    matchers: list[str]
    ends_ns: int
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Companion:
    """Another alert of the same incident."""

    episode_id: str
    rule: str
    severity: str
    action: str
    region: str
    state: str
    started_ns: int
    usd_per_h: Decimal | None  # at risk; null where it is not known, or it is over
    lost_usd: Decimal | None


@dataclass(frozen=True, slots=True)
class AlertDetail:
    """One alert. Dollars are null where nobody knows them; texts may be those of a sender."""

    episode_id: str
    cause: str
    rule: str
    severity: str
    action: str
    region: str
    of_action: str  # as a range names the class of decisions: "" is all
    of_region: str
    state: str
    is_shadow: bool  # it never fired while its rule was live: nobody was told
    has_fired: bool  # else nobody would have been told, whatever its rule
    since_ns: int  # when it began to fire, else of its first change
    at_ns: int  # of its last change
    is_open: bool
    usd_per_h: Decimal | None  # at risk; null where it is over, too
    low_usd_per_h: Decimal | None
    high_usd_per_h: Decimal | None
    is_now: bool  # the rate is of now; else of the last change
    now_missing_ns: int  # of the window of now, of which decisions are not attributed yet
    lost_usd: Decimal | None
    lost_low_usd: Decimal | None
    lost_high_usd: Decimal | None
    lost_from_ns: int  # the loss counts from here
    budget_usd: float | None  # of the rule
    budget_days: float | None
    budget_share: float | None  # of it, that this alert lost
    blamed: str  # stage/class, "" without one
    excess_ns: int
    basis: str
    slope_source: str
    window_s: int
    reason: str
    reason_ns: int  # of when that is
    failing_ns: int  # of when the share is that fails, where the reason has one
    blamed_ns: int  # since when it is put down to that segment
    focus: str  # of several classes the one that the cause is of: action/region; "" for one
    failing_share: float  # of the decisions, 0 where it is not about failures
    failing_call: str  # the first to fail, by service and name; "" where it is not known
    failing_call_text: str  # the same with the number of decisions, in words
    slow_call: str  # the one that takes longer
    slow_call_text: str
    slow_over_ms: float | None  # a rule of slow_ratio counts decisions that take longer
    runbook_url: str
    note: str
    reroute: str  # what the webhook proposed, "" for nothing
    explained_by: str  # narrower alerts without whose decisions it would not fire, "" for none
    ack: Note | None
    silences: list[MatchingSilence]  # that hide it now
    lasting: list[MatchingSilence]  # those, and others of its class that hold or are to come
    timeline: list[Moment]  # the newest first, at most 200
    exemplars: list[Exemplar]
    packets: KeptPackets | None  # null: not judged yet, or never asked for
    delays: list[InjectedDelay]  # of experiments, among its decisions
    incident_id: str  # the episode of the first alert of its incident; "" until it fires
    incident: list[Companion]  # the others of it, the dearest first, at most 100
    incident_sum: IncidentSum | None  # of all of them; null: it has no others, or nobody knows
    unknown: list[str]  # what could not be read, and why

    def put_down_to(self, at: Callable[[int], str]) -> str:
        """Return what it is put down to, in words: failures, a segment or both, "" for neither.

        Each is told with the calls that it is in, where they are known, and the instant of its
        figures, which `at` writes.
        """
        failing = failing_text(self.failing_share, self.focus)
        segment = segment_of(self.blamed, self.excess_ns)
        failing += f", {self.failing_call_text}" if failing and self.failing_call_text else ""
        segment += f", {self.slow_call_text}" if segment and self.slow_call_text else ""
        if failing and segment and self.failing_ns == self.blamed_ns:
            failing, segment = "", f"{failing}; {segment}"
        parts = ((failing, self.failing_ns), (segment, self.blamed_ns))
        return "; ".join(f"{text} (as of {at(ns)})" for text, ns in parts if text)


def read_alert(
    reader: Reader,
    state: AlertStore | None,
    config: AlertsConfig,
    reference: Reference,
    episode_id: str,
    now_ns: int,
    zone: Zone = _UTC,
) -> AlertDetail | None:
    """Read one alert, None where nothing has that id; its words have times of a zone's clock.

    Raises:
        StoreUnavailableError: the alert state does not have it, and the store is away.
    """
    events = state.events(episode_id) if state is not None else []
    if not events:
        parameters = {"episode_id": episode_id, "rows_max": _EVENTS_MAX}
        events = [AlertEvent(**row) for row in reader.ask("events", __file__, parameters)]
    if not events:
        return None
    row, unknown = row_of(events), []
    shown: list[Exemplar] = []
    delays: list[InjectedDelay] = []
    together: IncidentSum | None = None
    incident: list[AlertRow] = []
    rule = next((each for each in config.all_rules if each.name == row.rule), None)
    try:
        others = _others(reader, row, now_ns)
        (row, *incident), lost = with_losses(reader, [row, *others], now_ns)
        together = incident_sum([row, *incident], lost) if others else None
        (row,) = with_packets(reader, [row], Range(row.first_ns, now_ns))
        until_ns = now_ns if row.state in OPEN_STATES else row.at_ns
        delays = injected_delays(reader, row, until_ns)
        shown = exemplars(reader, row, rule, reference, until_ns, rows_max=EXEMPLARS_MAX)
    except StoreUnavailableError as error:
        unknown.append(
            f"dollars of now, exemplars and incident: {str(error).splitlines()[0][:200]}"
        )
    if state is None:
        unknown.append(ELSEWHERE)
    people = _people(state, events, now_ns)
    found = _detail(row, events, rule, people, shown, unknown)
    happened = timeline(events, people.deliveries, people.notes, people.silences, zone, now_ns)
    # Who was told was told, though the rule was taken back into shadow later.
    was_live = any(not each.is_shadow for each in events if each.to_state == Phase.FIRING)
    shadow = found.is_shadow and not was_live
    return replace(
        found,
        is_shadow=shadow,
        delays=delays,
        incident=[_companion(each) for each in dearest_first(incident)[:INCIDENT_MAX]],
        incident_sum=together,
        timeline=happened[:MOMENTS_MAX],
    )


def rate_of_when(alert: AlertDetail, at: Callable[[int], str]) -> str:
    """Return of when the rate of an alert is, and over what; `at` writes an instant.

    What a change of the alert says is of fewer seconds than what it costs now.
    """
    if not alert.is_now:
        return f"at {at(alert.at_ns)}, at the rate of its newest seconds then"
    over = span_of_time(min(alert.window_s, RATE_S) * NS_PER_S)
    return f"now, over its newest {over}"


@dataclass(frozen=True, slots=True)
class _People:
    deliveries: Sequence[Delivery] = ()
    notes: Sequence[Note] = ()
    silences: Sequence[Silence] = ()
    hiding: Sequence[Silence] = ()
    lasting: Sequence[Silence] = ()
    explained_by: str = ""


def _people(state: AlertStore | None, events: Sequence[AlertEvent], now_ns: int) -> _People:
    if state is None:
        return _People()
    last, silences = events[-1], Silences(state)
    first_ns = events[0].at_ns
    ended_ns = now_ns if last.to_state in OPEN_STATES else last.at_ns
    of_it = [each for each in silences.all(now_ns) if each.hides(last, each.starts_ns)]
    return _People(
        Deliveries(state).of_episode(last.episode_id, MOMENTS_MAX),
        Notes(state).of([last.episode_id]).get(last.episode_id, []),
        [each for each in of_it if each.starts_ns <= ended_ns and each.ends_ns > first_ns],
        silences.hiding(last, now_ns) if last.to_state in OPEN_STATES else [],
        [each for each in of_it if each.ends_ns > now_ns],
        explained_by(state, last.episode_id) if last.to_state in OPEN_STATES else "",
    )


def _others(reader: Reader, alert: AlertRow, now_ns: int) -> list[AlertRow]:
    if not alert.incident_id:
        return []
    # A ticket may fire for days before what has its cause begins, and after it.
    from_ns = max(0, (alert.started_ns or alert.first_ns) - _INCIDENT_NS)
    seen = Range(from_ns, now_ns + 1)
    found, _ = reader.alerts(seen, ALERTS_COUNTED_MAX, incident_id=alert.incident_id)
    return [each for each in found if each.episode_id != alert.episode_id]


def _companion(alert: AlertRow) -> Companion:
    return Companion(
        episode_id=alert.episode_id,
        rule=alert.rule,
        severity=alert.severity,
        action=alert.action,
        region=alert.region,
        state=alert.state,
        started_ns=alert.started_ns,
        usd_per_h=rate_of(alert) if _has_rate(alert) else None,
        lost_usd=alert.lost_usd,
    )


def _detail(
    row: AlertRow,
    events: Sequence[AlertEvent],
    rule: RuleConfig | None,
    people: _People,
    exemplars: list[Exemplar],
    unknown: list[str],
) -> AlertDetail:
    rate, low, high = (rate_of(row), *interval_of(row)) if _has_rate(row) else (None, None, None)
    budget = rule if isinstance(rule, DollarBurnConfig) else None
    of_action, of_region = row.scope
    return AlertDetail(
        episode_id=row.episode_id,
        cause=cause_of(row),
        rule=row.rule,
        severity=row.severity,
        action=row.action,
        region=row.region,
        of_action=of_action,
        of_region=of_region,
        state=row.state,
        is_shadow=row.is_shadow,
        has_fired=row.has_fired,
        since_ns=row.started_ns or row.first_ns,
        at_ns=row.at_ns,
        is_open=row.state in OPEN_STATES,
        usd_per_h=rate,
        low_usd_per_h=low,
        high_usd_per_h=high,
        is_now=row.now_usd_per_h is not None,
        now_missing_ns=row.now_missing_ns,
        lost_usd=row.lost_usd,
        lost_low_usd=row.lost_low_usd,
        lost_high_usd=row.lost_high_usd,
        lost_from_ns=row.lost_from_ns,
        budget_usd=None if budget is None else budget.budget_usd,
        budget_days=None if budget is None else budget.budget_days,
        budget_share=_budget_share(row, budget),
        blamed=f"{row.blamed_stage}/{row.blamed_class}" if row.blamed_stage else "",
        excess_ns=row.blamed_excess_ns,
        basis=row.basis,
        slope_source=events[-1].slope_source,
        window_s=row.window_s,
        reason=row.reason,
        reason_ns=explaining_event(events).at_ns,
        failing_ns=_failing_ns(events),
        blamed_ns=_blamed_ns(events),
        focus=row.focus,
        failing_share=row.failing_share,
        failing_call=row.failing_call,
        failing_call_text=row.failing_call_text,
        slow_call=row.slow_call,
        slow_call_text=row.slow_call_text,
        slow_over_ms=slow_over_ms(rule),
        runbook_url="" if rule is None else rule.runbook_url,
        note="" if rule is None else rule.note,
        reroute=_reroute(people.deliveries),
        explained_by=people.explained_by,
        ack=ack_of(people.notes),
        silences=[_matching(each) for each in people.hiding],
        lasting=[_matching(each) for each in people.lasting],
        timeline=[],
        exemplars=exemplars,
        packets=row.packets,
        delays=[],
        incident_id=row.incident_id,
        incident=[],
        incident_sum=None,
        unknown=unknown,
    )


def _budget_share(row: AlertRow, budget: DollarBurnConfig | None) -> float | None:
    """Return the share of the budget of its rule that an alert lost, None where none is known."""
    if budget is None or row.lost_usd is None:
        return None
    return float(row.lost_usd) / budget.budget_usd


def _has_rate(row: AlertRow) -> bool:
    # What cannot be judged has no dollars, and what is over costs nothing an hour.
    return row.is_priced and row.state in OPEN_STATES and row.state != "unknown"


def _failing_ns(events: Sequence[AlertEvent]) -> int:
    """Return when the share that fails was found: later events repeat it."""
    share = events[-1].failing_share
    alike = takewhile(lambda event: event.failing_share == share, reversed(events))
    return min(event.at_ns for event in alike)


def _blamed_ns(events: Sequence[AlertEvent]) -> int:
    """Return since when the suspect is the one of the last event."""
    same = takewhile(lambda each: blamed(each) == blamed(events[-1]), reversed(events))
    return min(each.at_ns for each in same)


def _matching(silence: Silence) -> MatchingSilence:
    matchers = [str(each) for each in silence.matchers]
    return MatchingSilence(silence.id, matchers, silence.ends_ns, silence.actor, silence.reason)


def _reroute(deliveries: Sequence[Delivery]) -> str:
    """Return what the newest message that the alert fires proposes, "" for nothing."""
    bodies = (each.body for each in deliveries if each.kind == FIRED)
    data: dict[str, Any] = json.loads(next(bodies, b"{}")).get("data", {})
    move = (data.get("reroute") or {}).get("move")
    if not move:
        return ""
    route = f" (route {move['from_route']})" if move["from_route"] else ""
    source, target = f"{move['action']} / {move['region']}{route}", move["to_region"]
    return f"send the decisions of {source} to {target}"
