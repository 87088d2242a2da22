"""I/O: composes notifications: when an alert begins to fire, and when it is held back no longer.

What was held back goes out with what is true by then: figures, cause and proposal are of the pass
that sends it. An alert that a better one explained is given a short grace first, in which
another may explain it: the narrow alert that comes next begins some passes after the last ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from clickhouse_connect.driver.exceptions import ClickHouseError

from alerts.delivery.payload import NO_DETAILS, Details, body
from alerts.delivery.routing import Routing
from alerts.events import capture_request, held_back, transition_event, with_suspect
from alerts.evidence.incident import Sighting, incident_of
from alerts.evidence.search import SuspectSearch
from alerts.read.reader import AlertReader
from alerts.rows import AlertEvent, CaptureRequest
from alerts.rules.base import Evaluation, Moment, Rule, RuleConfig
from alerts.rules.dead_man import ALL_DATA
from alerts.rules.moves import MovesDecisions
from alerts.state.held import (
    HeldAlert,
    HeldAlerts,
    is_unannounced,
    may_be_known,
    told_without_move,
    waiting_seq,
    was_known_before,
    was_sent,
)
from alerts.state.proposal import Move, OpenMoves, Proposal
from alerts.state.routed import OpenAlert, open_alerts
from alerts.state.sqlite import AlertStore, Update
from alerts.state.subject import Subject
from alerts.state.transitions import FIRED, AlertState, Phase, Status, Transition
from collector.core.errors import StoreUnavailableError
from collector.core.times import NS_PER_S

AnyRule: TypeAlias = Rule[RuleConfig, Any]

# Longer than the shortest window of the default tiers nothing has to wait.
_GRACE_S_MAX: Final = 60


@dataclass(frozen=True, slots=True)
class Notice:
    """What receivers and the store are to know of an alert at one instant."""

    event: AlertEvent
    details: Details = NO_DETAILS
    capture: CaptureRequest | None = None

    def proposed_by(
        self, state: AlertState, event: AlertEvent, rule: AnyRule, facts: object
    ) -> AlertState:
        """Return the state of an alert with what this proposes.

        What the decisions of a class were before any were moved away stays known while proposals to
        move it follow one another.
        """
        before, move = state.proposal, self.details.move
        if not isinstance(rule, MovesDecisions):
            return state
        if move is None:
            return replace(state, proposal=Proposal(None, event.at_ns, 0.0))
        moved = Subject(move.action, move.region)
        per_s = rule.decisions_per_s(facts, moved)
        if before is not None and before.moved == moved:
            per_s = max(per_s, before.per_s)
        return replace(state, proposal=Proposal(move, event.at_ns, per_s))


class Notifier:
    """Composes notifications of alerts, and sends those that were held back.

    Args:
        rules: by name.
        reader: of the store.
        search: for the suspect.
        alert_state: what fires, what was sent, and what people did.
        routing: what suppresses an alert.
    """

    def __init__(
        self,
        rules: Mapping[str, AnyRule],
        reader: AlertReader,
        search: SuspectSearch,
        alert_state: AlertStore,
        routing: Routing,
    ) -> None:
        self._rules = rules
        self._reader = reader
        self._search = search
        self._alert_state = alert_state
        self._routing = routing
        self._held = HeldAlerts(alert_state)
        self._began: list[Sighting] = []  # to fire in this pass
        self._moves = OpenMoves()
        # Since which pass a class gives way, and those of this pass.
        self._gave_way_ns: dict[tuple[str, Subject], int] = {}
        self._giving_way: dict[tuple[str, Subject], int] = {}

    def begin_pass(self, states: Iterable[AlertState], moment: Moment) -> None:
        """Forget what the last pass found: the alert state has it."""
        self._began.clear()
        proposals = ((each.episode_id, each.proposal) for each in states)
        self._moves = OpenMoves(
            {key: each for key, each in proposals if each and each.holds(moment.end_ns)}
        )
        self._gave_way_ns, self._giving_way = self._giving_way, {}

    def gives_way(
        self, rule: AnyRule, facts: object, state: AlertState, of_class: Subject, moment: Moment
    ) -> bool:
        """Return whether an alert is about another class by now than the one that it was about.

        As an alert has to be well for `keep_firing_s` until it ends, so has its class: of few
        decisions at home none may be lost in a minute, though all would be.
        """
        if not rule.gives_way(facts, state, of_class):
            return False
        key = state.episode_id, of_class
        since_ns = self._giving_way[key] = self._gave_way_ns.get(key, moment.end_ns)
        return moment.end_ns - since_ns >= rule.config.keep_firing_s * NS_PER_S

    def from_ns(self) -> tuple[int, ...]:
        """Return the instants from which the losses of a pass are judged, beside ends of alerts."""
        held = self._held.all().values()
        return tuple({each.from_ns for each in held if each.from_ns and not each.is_hidden})

    def compose(
        self,
        rule: AnyRule,
        facts: object,
        state: AlertState,
        transition: Transition,
        evaluation: Evaluation,
        moment: Moment,
    ) -> Notice:
        """Return what a person needs of an alert at the end of the windows, by the facts of now."""
        evaluation = rule.explain(self._reader, facts, state, evaluation)
        event = transition_event(rule, state, transition, evaluation, moment)
        event = replace(event, is_shadow=self._routing.is_shadow(event.rule))
        move = self._proposed(rule, facts, event, moment)
        notice, of_class = Notice(event, Details(move)), state.subject
        if (proposal := notice.proposed_by(state, event, rule, facts).proposal) is not None:
            self._moves.note(event.episode_id, proposal)
        if rule.explains_decisions:
            of_class = rule.focus(facts, state.subject)
            windows_s = rule.wording(state.subject).windows_s(event.window_s)
            found = self._search.at(of_class, windows_s, moment.end_ns)
            exemplars = self._search.exemplars(
                of_class,
                event.window_s,
                moment.end_ns,
                is_of_failures=found.is_of_failures or rule.is_about_failures,
            )
            event = with_suspect(event, found, of_class, is_about_failures=rule.is_about_failures)
            capture = capture_request(event, of_class, moment)
            notice = Notice(event, Details(move, exemplars, found.path), capture)
        return replace(notice, event=self._in_incident(rule, notice.event, of_class))

    def has_news(self, rule: AnyRule, facts: object, state: AlertState, moment: Moment) -> bool:
        """Return whether an alert that fires has to propose anew.

        Where its last proposal is about to expire, where the region that it names is in trouble by
        now or people work there, where what it moves is well and another class burns, or where a
        receiver knows of none. What no webhook was sent of, and a rule that was taken back into
        shadow, propose nothing.
        """
        proposal = state.proposal
        # Of one that is unknown all decisions may be away, and only there is something to be seen.
        if state.phase is not Phase.FIRING or proposal is None:
            return False
        if not isinstance(rule, MovesDecisions):
            return False
        holds = proposal.holds(moment.end_ns)
        moved, target = (proposal.moved, proposal.target) if holds else (None, None)
        is_stale = state.shown is Phase.FIRING and proposal.is_stale(moment.end_ns)
        if target is None and not is_stale:
            return False
        last = self._alert_state.last_event(state.episode_id)
        if last is None or self._routing.is_shadow(last.rule):
            return False
        is_lost = target is not None and (
            rule.is_in_trouble(facts, target)
            or self._routing.is_closed_to(last, moment.now_ns)(target)
        )
        is_lost = is_lost or (
            moved is not None and self.gives_way(rule, facts, state, moved, moment)
        )
        if holds and last.to_state == Phase.COOLING:  # a receiver that had been away was told then
            is_lost = is_lost or told_without_move(self._alert_state, state.episode_id)
        if not (is_lost or is_stale) or not was_sent(self._alert_state, state.episode_id):
            return False
        return is_lost or self._proposed(rule, facts, last, moment) is not None

    def _proposed(
        self, rule: AnyRule, facts: object, event: AlertEvent, moment: Moment
    ) -> Move | None:
        """Return where decisions that an alert is about could go now, None for nowhere."""
        if not isinstance(rule, MovesDecisions):
            return None
        is_closed = self._routing.is_closed_to(event, moment.now_ns)
        subject = Subject(event.action, event.region)
        move = rule.propose(facts, subject, is_closed, self._moves.without(event.episode_id))
        if move is None:
            return None
        move = replace(move, from_route=rule.usual_route(self._reader, move, moment.end_ns))
        return move if move.fits else None

    def catch_up(self, facts: Mapping[str, Any], moment: Moment) -> None:
        """Note what is held back, and tell of what is no longer.

        What cools is not told of, since it may be over; its message waits for it to burn again,
        and its end drops it.

        Args:
            facts: of the pass, by the name of the rule; a rule that could not be read has none.
            moment: of the pass.

        Raises:
            ClickHouseError, StoreUnavailableError: of the first evidence that could not be read;
                its alert waits for the next pass.
        """
        known, firing = self._held.all(), open_alerts(self._alert_state)
        states = {state.episode_id: state for state in self._alert_state.states().values()}
        found = list[tuple[OpenAlert, AlertState, HeldAlert]]()
        for alert in firing:
            state = states[alert.episode_id]
            held = self._hold(alert, state, known.get(alert.episode_id), facts, moment)
            found += [] if held is None else [(alert, state, held)]
        over = known.keys() - {alert.episode_id for alert in firing}
        self._held.write([held for _, _, held in found], over)
        failed: list[Exception] = []
        for alert, state, held in found:
            if not held.is_due(moment.now_ns):
                continue
            try:
                update = self._release(alert, state, held, facts, moment)
            except (ClickHouseError, StoreUnavailableError) as error:
                failed.append(error)
                self._held.write([known[held.episode_id]])
                continue
            if update is None:
                self._held.write([], [held.episode_id])
            else:
                self._alert_state.record([update], now_ns=moment.now_ns)
        if failed:
            raise failed[0]

    def _hold(
        self,
        alert: OpenAlert,
        state: AlertState,
        before: HeldAlert | None,
        facts: Mapping[str, Any],
        moment: Moment,
    ) -> HeldAlert | None:
        """Return how an alert is held back now, None where it is not."""
        now_ns, reason = moment.now_ns, self._routing.hidden_by(alert.last, moment.now_ns)
        if reason:
            held = before or HeldAlert(alert.episode_id, True, reason, now_ns, now_ns, 0)
            if self._routing.inhibited_by(alert.last):
                held = replace(held, grace_ns=self._grace_ns(alert))
            if self._routing.explained_by(alert.last):
                held = replace(held, from_ns=moment.end_ns)
            return replace(held, is_hidden=True, reason=reason, judged_ns=now_ns, ready_ns=0)
        is_judged = state.rule in facts or state.shown is Phase.UNKNOWN
        if before is None or state.rule not in self._rules or not is_judged:
            return before
        if before.is_hidden and before.from_ns:  # the facts of this pass do not begin there
            return replace(before, judged_ns=now_ns, is_hidden=False)
        is_ready = self._is_ready(self._rules[state.rule], state, before, facts)
        ready_ns = (before.ready_ns or now_ns) if is_ready else 0
        return replace(before, judged_ns=now_ns, ready_ns=ready_ns, is_hidden=False)

    def _is_ready(
        self, rule: AnyRule, state: AlertState, held: HeldAlert, facts: Mapping[str, Any]
    ) -> bool:
        """Return whether there is something to tell of an alert that nothing hides.

        What began by losses that a better alert told of is told of where it would begin now, by
        what came after these.
        """
        if state.shown is not Phase.FIRING:
            return state.shown is Phase.UNKNOWN
        status = rule.evaluate(facts[state.rule], _after(state, held)).seen.status
        return status is Status.BREACHED or (status is Status.BURNING and not held.grace_ns)

    def _grace_ns(self, alert: OpenAlert) -> int:
        """Return how long another alert may take to explain one: a narrow one sees as soon."""
        rule = self._rules.get(alert.last.rule)
        if rule is None:
            return 0
        subject = Subject(alert.last.action, alert.last.region)
        shortest_s = rule.wording(subject).windows_s(alert.last.window_s)[0]
        return min(shortest_s, _GRACE_S_MAX) * NS_PER_S

    def _release(
        self,
        alert: OpenAlert,
        state: AlertState,
        held: HeldAlert,
        facts: Mapping[str, Any],
        moment: Moment,
    ) -> Update | None:
        """Return what announces an alert now, None where every receiver knew of it before."""
        rule, is_new = (
            self._rules[state.rule],
            is_unannounced(self._alert_state, state.episode_id),
        )
        # What every receiver knew is not held back by a silence that came later.
        if not (is_new or held.grace_ns or held.from_ns) and was_known_before(
            self._alert_state, state.episode_id, held.since_ns
        ):
            return None
        if state.shown is Phase.UNKNOWN:  # nobody knows more than that
            return Update(state, released_body=self._body(rule, state, Notice(alert.last)))
        judged = _after(state, held)
        evaluation = rule.evaluate(facts[state.rule], judged)
        transition = Transition.while_firing(state, moment.end_ns)
        notice = self.compose(rule, facts[state.rule], judged, transition, evaluation, moment)
        event = notice.event
        if is_new:
            why = self._routing.as_it_ended(held.reason)
            event = held_back(event, why, moment.now_ns - held.since_ns)
        if may_be_known(self._alert_state, state.episode_id):
            event = replace(event, incident_id=alert.last.incident_id)
        after = replace(state, seq=transition.seq)
        after = notice.proposed_by(after, event, rule, facts[state.rule])
        content = self._body(rule, state, replace(notice, event=event))
        return Update(after, event, capture=notice.capture, released_body=content)

    def _body(self, rule: AnyRule, state: AlertState, notice: Notice) -> bytes:
        """Return the body of the message that was held back, under the number that it has."""
        seq = waiting_seq(self._alert_state, state.episode_id)
        event = replace(notice.event, seq=notice.event.seq if seq is None else seq)
        return body(FIRED, event, rule.wording(state.subject), notice.details)

    def _in_incident(self, rule: AnyRule, event: AlertEvent, of_class: Subject) -> AlertEvent:
        """Return the event of an alert that is told of, with the incident that it is of."""
        found = _sighting(rule, event, of_class)
        incident_id = incident_of(found, [*self._firing(), *self._began])
        event = replace(event, incident_id=incident_id)
        self._began.append(replace(found, event=event))
        return event

    def _firing(self) -> Iterator[Sighting]:
        """Yield the alerts that fire, each with the class that it began to fire by."""
        for alert in open_alerts(self._alert_state):
            rule = self._rules.get(alert.last.rule)
            if rule is None:
                continue  # this pass ends it
            evidence = self._alert_state.evidence_of(alert.episode_id)
            subject = Subject(alert.last.action, alert.last.region)
            yield _sighting(rule, alert.last, subject if evidence is None else evidence[1])


def _sighting(rule: AnyRule, event: AlertEvent, of_class: Subject) -> Sighting:
    if rule.is_about_decisions:
        return Sighting(event, of_class)
    # Services that fall silent together do so for one reason, and all data with them.
    subject = ALL_DATA if rule.goes_by_arrival else Subject(event.action, event.region)
    return Sighting(event, None, rule.wording(subject).subject)


def _after(state: AlertState, held: HeldAlert) -> AlertState:
    """Return a state of which only the losses count that no narrower alert told of."""
    return replace(state, ended_ns=max(state.ended_ns, held.from_ns))
