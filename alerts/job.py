"""I/O: evaluates every rule at one instant, records the transitions, and delivers them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clickhouse_connect.driver.exceptions import ClickHouseError

from alerts.config import AlertsConfig
from alerts.delivery.notifier import AnyRule, Notifier
from alerts.delivery.outlets import Outlets
from alerts.delivery.payload import NO_DETAILS, Details, body
from alerts.delivery.routing import PAGE_NOBODY, Routing
from alerts.events import (
    capture_request,
    closing_event,
    routed_anew,
    transition_event,
    with_suspect,
    with_suspect_of,
)
from alerts.evidence.ledger import Ledger
from alerts.evidence.naming import Naming
from alerts.evidence.search import SuspectSearch
from alerts.metrics import Pass
from alerts.people.calendars import Calendars
from alerts.read.reader import AlertReader
from alerts.rows import AlertEvent, CaptureRequest, Message, messages_to
from alerts.rules.base import NO_WORDING, Evaluation, Moment, Progress, duration_text
from alerts.rules.kinds import rule_of
from alerts.state.mirror import mirror
from alerts.state.promotions import Promotions
from alerts.state.retry import DeliveryStatus
from alerts.state.sqlite import AlertStore, Update
from alerts.state.subject import Subject
from alerts.state.transitions import (
    ACTIVE_PHASES,
    FIRED,
    AlertState,
    Phase,
    Status,
    Timing,
    Transition,
    advance,
    first_state,
    is_forgotten,
    retire,
    set_back,
)
from collector.core.clock import ClockSteps, ClockWatch, boot_ns
from collector.core.counters import Counters
from collector.core.errors import StoreUnavailableError, first_line
from collector.core.log import get_logger
from collector.core.times import NS_PER_DAY, NS_PER_HOUR, NS_PER_S
from collector.store.connect import Connections

_FORGET_NS, _KEEP_NS, _PRUNE_NS = NS_PER_DAY, 30 * NS_PER_DAY, NS_PER_HOUR

_log = get_logger("alerts")


@dataclass(frozen=True, slots=True)
class AlertsStatus:
    """The states of all alerts, and what is left to deliver."""

    states: tuple[AlertState, ...]
    pending: int
    delivered: int
    dead: int
    unmirrored: int

    @property
    def firing(self) -> int:
        """Return the number of alerts that fire, those that fell silent included."""
        return sum(state.phase in ACTIVE_PHASES for state in self.states)

    @property
    def idle(self) -> bool:
        """Return whether nothing waits to be delivered or mirrored."""
        return self.pending == 0 and self.unmirrored == 0


class AlertsJob:
    """Owns the alert state; `run_once` and `outlets` may be used by threads of their own.

    Args:
        config: the rules and the receivers.
        store: of the rows that the rules read, and of `alert_events`.
        state_path: the SQLite file.
        counters: of deliveries.
        progress: asks the receivers of this process; without it only the store is asked.
        dashboard_url: where alerts link to.
        elapsed_ns: nanoseconds that no hand sets, by which a clock that is ahead is known.
    """

    def __init__(
        self,
        config: AlertsConfig,
        store: Connections,
        state_path: Path,
        counters: Counters | None = None,
        progress: Callable[[], Progress] | None = None,
        dashboard_url: str = "",
        elapsed_ns: Callable[[], int] = boot_ns,
    ) -> None:
        self._config = config
        # Narrow before wide: a wide alert joins the incident of the one that explains it.
        rules = sorted(config.all_rules, key=lambda rule: rule.breadth)
        self._rules = {rule.name: rule_of(rule) for rule in rules}
        self._store = store
        self.calendars = Calendars(config.calendars)
        self._reader = AlertReader(store, self.calendars.budget_factor)
        self._search = SuspectSearch(self._reader)
        self._progress = progress
        self.alert_state = alert_state = AlertStore(state_path)
        self._promotions = Promotions(alert_state)
        self.routing = routing = Routing(alert_state, config)
        self._notifier = Notifier(self._rules, self._reader, self._search, alert_state, routing)
        self._naming = Naming(self._reader, self._search, alert_state)
        self._ledger = Ledger(self._reader, alert_state, routing.is_shadow)
        self.last_pass: Pass | None = None
        self.rules_loaded = len(self._rules)
        self.outlets = Outlets(alert_state, config, counters, dashboard_url)
        self._started_ns = self._readable_ns = self._pruned_ns = 0
        self._steps = ClockSteps(elapsed_ns)
        self._watch = ClockWatch(state_path.with_suffix(".clock"), elapsed_ns)
        if shadows := self.routing.shadows:
            _log.warning("rules_in_shadow", rules=", ".join(shadows), detail=PAGE_NOBODY)

    def run_once(self, now_ns: int) -> int:
        """Evaluate every rule at one instant; return the number of transitions.

        Raises:
            ClickHouseError, StoreUnavailableError: of the first rule that could not be read, once
                the results of all others are recorded.
        """
        self._started_ns = self._steps.since_ns(now_ns)
        try:
            moment = self._moment(now_ns)
        except (ClickHouseError, StoreUnavailableError):
            self._readable_ns = 0
            raise
        known = self._states(moment)
        self._notifier.begin_pass(known.values(), moment)
        updates = list(self._close_gone(known, moment))
        closed = {update.state.key for update in updates}
        failed: list[Exception] = []
        facts: dict[str, Any] = {}
        for name, rule in self._rules.items():
            states = {
                state.subject: state
                for key, state in known.items()
                if state.rule == name and key not in closed
            }
            try:
                facts[name] = rule.read(self._reader, moment, states)
                updates += list(self._evaluate(rule, facts[name], states, moment))
            except (ClickHouseError, StoreUnavailableError) as error:
                _log.warning("rule_not_evaluated", rule=name, reason=first_line(error))
                failed.append(error)
        self._promotions.see(self._rules, now_ns)
        owned = None  # as before: what alerts own decides no transition, so it holds none back
        try:
            owned = self._ledger.owned(self._rules, facts, known, updates, moment)
        except (ClickHouseError, StoreUnavailableError) as error:
            _log.warning("ledger_not_read", reason=first_line(error))
            failed.append(error)
        self.alert_state.record(updates, moment.end_ns, moment.known_ns, owned)
        try:
            self._notifier.catch_up(facts, moment)
        except (ClickHouseError, StoreUnavailableError) as error:
            _log.warning("held_alert_not_told", reason=first_line(error))
            failed.append(error)
        self.last_pass = Pass(now_ns, moment.known_ns, len(failed))
        mirror(self.alert_state, self._store)
        self._naming.run_once(moment)  # what it finds, the pages have with the next pass
        self._prune(now_ns)
        if failed:
            raise failed[0]
        return sum(update.event is not None for update in updates)

    def _states(self, moment: Moment) -> dict[tuple[str, Subject], AlertState]:
        """Return the states, of which none was judged later than this moment."""
        known = self.alert_state.states()
        ahead = [key for key, state in known.items() if state.judged_ns > moment.now_ns]
        for rule, subject in ahead:
            state = known[rule, subject]
            of_arrival = rule in self._rules and self._rules[rule].goes_by_arrival
            data_ns = moment.arriving_ns if of_arrival else moment.end_ns
            known[rule, subject] = set_back(state, moment.end_ns, data_ns)
        if ahead:
            _log.warning("clock_set_back", alerts=len(ahead))
        return known

    def _moment(self, now_ns: int) -> Moment:
        """Return the instants of one pass.

        Windows end at the newest second of `revenue_cells`, or `lateness_s` ago if that is earlier:
        no result rests on seconds that are still filling.
        """
        watermark = self._reader.watermark(now_ns)
        self._readable_ns = self._readable_ns or (now_ns if self._progress is None else 0)
        settled_ns = self._settled_ns(now_ns)
        return Moment(
            now_ns=now_ns,
            # Attribution that is behind is not a silence: that would hold every alert back.
            known_ns=self._settled_ns(min(now_ns, watermark.attributed_ns or now_ns)),
            end_ns=min(settled_ns, watermark.newest_ns or settled_ns),
            started_ns=self._started_ns,
            nodata_ns=round(self._config.nodata_s * NS_PER_S),
            progress=self._progress() if self._progress is not None else Progress(0, now_ns),
            readable_ns=self._readable_ns,
            from_ns=self._notifier.from_ns(),
        )

    def _settled_ns(self, at_ns: int) -> int:
        """Return the second up to which everything should have arrived at an instant."""
        return (at_ns - round(self._config.lateness_s * NS_PER_S)) // NS_PER_S * NS_PER_S

    def status(self) -> AlertsStatus:
        """Return the states and what is left to do."""
        backlog = self.alert_state.backlog()
        done = backlog.deliveries
        return AlertsStatus(
            states=tuple(self.alert_state.states().values()),
            pending=done.get(DeliveryStatus.PENDING, 0),
            delivered=done.get(DeliveryStatus.DELIVERED, 0),
            dead=done.get(DeliveryStatus.DEAD, 0) + done.get(DeliveryStatus.DISABLED, 0),
            unmirrored=backlog.unmirrored,
        )

    def close(self) -> None:
        """Close the file of the state and what delivers."""
        self.outlets.close()
        self.alert_state.close()

    def _evaluate(
        self,
        rule: AnyRule,
        facts: object,
        states: Mapping[Subject, AlertState],
        moment: Moment,
    ) -> Iterator[Update]:
        """Yield the update of each subject of one rule: those with a state, and new ones.

        A class that fell silent is in no window; its state keeps it here.
        """
        found = rule.subjects(facts)
        for subject in sorted({*found, *states}):
            state = states.get(subject) or first_state(rule.config.name, subject, found[subject])
            update = self._advance(rule, facts, state, moment)
            is_known = subject in states or rule.config.expects(subject)
            # The newest windows may be of days ago: what is in them would be let go and taken anew.
            if is_known or not is_forgotten(update.state, moment.known_ns, _FORGET_NS):
                yield update

    def _advance(self, rule: AnyRule, facts: object, state: AlertState, moment: Moment) -> Update:
        config, subject = rule.config, state.subject
        evaluation = rule.evaluate(facts, state)
        timing = Timing(config.for_s, config.keep_firing_s, rule.window_s)
        after, transition = advance(state, timing, evaluation.seen)
        if self._notifier.has_news(rule, facts, after, moment):
            transition = transition or Transition.while_firing(after, moment.end_ns)
            transition = replace(transition, notification=FIRED)
            after = replace(after, seq=transition.seq)
        if transition is None:
            return self._while_firing(rule, facts, after, evaluation, moment)
        last = self.alert_state.last_event(transition.episode_id)
        if transition.notification == FIRED:
            notice = self._notifier.compose(rule, facts, after, transition, evaluation, moment)
            event = notice.event
            if last is not None:
                event = replace(event, incident_id=last.incident_id)
            after = notice.proposed_by(after, event, rule, facts)
            return self._update(after, event, transition, rule, notice.details, notice.capture)
        silent_ns = moment.known_ns - after.data_ns
        if transition.to_state is Phase.UNKNOWN and silent_ns > moment.nodata_ns:
            words = f"no {rule.wording(subject).subject} for {duration_text(silent_ns / NS_PER_S)}"
            evaluation = replace(evaluation, reason=words)
        event = transition_event(rule, after, transition, evaluation, moment)
        if last is not None:
            event = with_suspect_of(event, last)
        return self._update(after, event, transition, rule)

    def _while_firing(
        self,
        rule: AnyRule,
        facts: object,
        state: AlertState,
        evaluation: Evaluation,
        moment: Moment,
    ) -> Update:
        """Record that an alert that fires has another suspect, or class, or is routed or not.

        Nothing is sent: the pages show it.
        """
        events = self.alert_state.events(state.episode_id) if state.shown is Phase.FIRING else []
        if not events:
            return Update(state)
        last = events[-1]
        # What was told late was searched anew then: what was found before is not its suspect.
        evidence = self.alert_state.evidence_of(state.episode_id)
        events = [each for each in events if evidence is None or each.seq >= evidence[0]] or events
        # Without decisions in the window no segment can stand out.
        has_data = evaluation.seen.status is not Status.NO_DATA
        found, of_class = None, rule.focus(facts, state.subject)
        is_another = evidence is not None and self._notifier.gives_way(
            rule, facts, state, evidence[1], moment
        )
        if rule.explains_decisions and has_data:
            windows_s = rule.wording(state.subject).windows_s(last.window_s)
            known = [] if is_another else events
            found = self._search.again(of_class, windows_s, known, moment.end_ns)
        is_shadow = self.routing.is_shadow(last.rule)
        if found is None and last.is_shadow == is_shadow:
            return Update(state)
        transition = Transition.while_firing(state, moment.end_ns)
        event = transition_event(rule, state, transition, evaluation, moment)
        if found is None:  # the rest of why it fires is as it was
            event = routed_anew(event, last, is_shadow=is_shadow)
        else:
            event = with_suspect(event, found, of_class, is_about_failures=rule.is_about_failures)
            event = replace(event, incident_id=last.incident_id)
        capture = capture_request(event, of_class, moment) if is_another and found else None
        state = replace(state, seq=transition.seq)
        return self._update(state, event, transition, rule, capture=capture)

    def _close_gone(
        self, states: Mapping[tuple[str, Subject], AlertState], moment: Moment
    ) -> Iterator[Update]:
        """Yield the end of each alert that no rule evaluates any more.

        Its rule is not configured, or no longer covers its subject; or the rule takes what comes,
        and nobody has seen the subject for a day, or for seven where it fired.
        """
        for state in states.values():
            rule = self._rules.get(state.rule)
            if rule is None:
                reason = f"rule {state.rule} is no longer configured: nothing evaluates this now"
            elif not rule.config.covers(state.subject):
                what = rule.wording(state.subject).subject
                reason = f"rule {state.rule} no longer covers {what}: nothing evaluates this now"
            elif rule.config.expects(state.subject):
                continue
            elif is_forgotten(state, moment.known_ns, _FORGET_NS):
                if self._watch.look(moment.now_ns):
                    continue  # a clock that jumped a week ahead, and is set right soon
                gone = duration_text((moment.known_ns - state.data_ns) / NS_PER_S)
                reason = f"no {rule.wording(state.subject).subject} for {gone}: taken for gone"
            else:
                continue
            after, transition = retire(state, moment.end_ns)
            last = self.alert_state.last_event(state.episode_id)
            if transition is None or last is None:
                yield Update(after, is_over=True)
                continue
            event = closing_event(last, transition, moment, reason)
            yield replace(self._update(after, event, transition, rule), is_over=True)

    def _update(
        self,
        state: AlertState,
        event: AlertEvent,
        transition: Transition,
        rule: AnyRule | None,
        details: Details = NO_DETAILS,
        capture: CaptureRequest | None = None,
    ) -> Update:
        last = self.alert_state.last_event(event.episode_id)
        if last is not None and last.started_ns:  # whoever was told routes its end by this
            event = replace(event, severity=last.severity)
        event = replace(event, is_shadow=self.routing.is_recorded_only(event))
        _log.info(
            "alert_changed",
            episode_id=event.episode_id,
            rule=event.rule,
            action=event.action,
            region=event.region,
            from_state=event.from_state,
            to_state=event.to_state,
            reason=event.reason_with_calls,
        )
        messages: tuple[Message, ...] = ()
        if kind := transition.notification:
            wording = NO_WORDING if rule is None else rule.wording(state.subject)
            content = body(kind, event, wording, details)
            endpoints = [webhook.name for webhook in self._config.webhooks]
            messages = messages_to(endpoints, kind, event, content)
        return Update(state, event, messages, capture)

    def _prune(self, now_ns: int) -> None:
        if abs(now_ns - self._pruned_ns) >= _PRUNE_NS:  # set back, it would wait as long
            # What people wrote is nowhere else, and a silence that ends this month is in force.
            if not self._watch.look(now_ns):
                self.alert_state.prune(now_ns - _KEEP_NS)
            self._search.forget({state.episode_id for state in self.alert_state.states().values()})
            self._pruned_ns = now_ns
