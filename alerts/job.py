"""I/O: judges every rule at one instant, writes down what changed, and delivers it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from alerts.config import AlertsConfig, BurnRule
from alerts.delivery.outbox import Outbox, Sender
from alerts.delivery.payload import body
from alerts.delivery.webhook import WebhookSender
from alerts.rows import AlertEvent, CaptureRequest, Message, webhook_id
from alerts.rules.burn_rate import Verdict, Windows, duration_text, evaluate
from alerts.rules.dead_man_watch import DeadManWatch, Progress
from alerts.rules.decision_class import DecisionClass, covers, named_class
from alerts.rules.evidence import gather
from alerts.rules.late_suspect import LateBlame
from alerts.rules.reader import AlertReader, empty_window
from alerts.rules.reroute import Move
from alerts.rules.state_machine import (
    FIRED,
    AlertState,
    Observation,
    Phase,
    Transition,
    advance,
    first_state,
    is_forgotten,
    retire,
)
from alerts.rules.suspect import Blame
from alerts.state.mirror import mirror
from alerts.state.retry import DeliveryStatus
from alerts.state.sqlite import AlertStore, Judgement
from collector.core.clock import NS_PER_DAY, NS_PER_HOUR, NS_PER_S
from collector.core.counters import Counters
from collector.core.log import get_logger
from collector.store.connect import Connections

# A capture reaches a little past the window on both sides: connections outlive decisions.
_CAPTURE_MARGIN_NS = 5 * NS_PER_S
_FORGET_NS = NS_PER_DAY
_KEEP_NS = 30 * NS_PER_DAY
_PRUNE_NS = NS_PER_HOUR

_log = get_logger("alerts")


@dataclass(frozen=True, slots=True)
class _Moment:
    """The instant on which all verdicts of a pass agree."""

    now_ns: int
    known_ns: int  # what is older has arrived, and is in the dollars: a silence up to here is one
    end_ns: int  # of every window


@dataclass(frozen=True, slots=True)
class AlertsStatus:
    """What alerting has come to."""

    judged_ns: int  # end of the windows judged last, 0 before the first pass
    states: tuple[AlertState, ...]
    pending: int
    delivered: int
    dead: int
    disabled: int
    disabled_endpoints: tuple[str, ...]
    unmirrored: int

    @property
    def firing(self) -> int:
        """Return how many alerts are alight, those that fell silent included."""
        return sum(state.phase in (Phase.FIRING, Phase.COOLING) for state in self.states)

    @property
    def idle(self) -> bool:
        """Tell whether nothing waits to be delivered or mirrored."""
        return self.pending == 0 and self.unmirrored == 0


class AlertsJob:
    """Owns the alert state; `run_once` and `deliver_due` may run in threads of their own."""

    def __init__(
        self,
        config: AlertsConfig,
        store: Connections,
        state_path: Path,
        counters: Counters | None = None,
        sender: Sender | None = None,
        progress: Callable[[], Progress] | None = None,
    ) -> None:
        self._config = config
        self._store = store
        self._reader = AlertReader(store)
        self._late = LateBlame(self._reader)
        self._watch = DeadManWatch(config, self._reader, progress)
        self._memory = AlertStore(state_path)
        self._own_sender = None if sender else WebhookSender(config.allowed_hosts)
        outlet = sender or self._own_sender
        assert outlet is not None
        self._outbox = Outbox(self._memory, config.webhooks, outlet, counters)
        self._judged_ns = 0
        self._pruned_ns = 0

    def run_once(self, now_ns: int) -> int:
        """Judge every rule and class at one instant; return the number of transitions.

        Windows end where the data ends: at the newest second of `revenue_cells`, or `lateness_s`
        ago if that is earlier, so that a verdict never rests on seconds that are still filling.
        """
        watermark = self._reader.watermark()
        settled_ns = self._settled_ns(now_ns)
        end_ns = min(settled_ns, watermark.newest_ns or settled_ns)
        # Attribution that is behind is no silence: that would hold every alert back.
        known_ns = self._settled_ns(min(now_ns, watermark.attributed_ns or now_ns))
        moment = _Moment(now_ns=now_ns, known_ns=known_ns, end_ns=end_ns)
        known = self._memory.states()
        judgements = list(self._dead_man(known, now_ns))
        judgements += self._close_gone(known, moment)
        gone = {judgement.state.key for judgement in judgements}
        states = {key: state for key, state in known.items() if key not in gone}
        for rule in self._config.rules:
            seen = self._reader.windows(rule, end_ns)
            for decision_class in _classes(rule, seen, states):
                state = states.get((rule.name, decision_class)) or first_state(
                    rule.name, decision_class, end_ns
                )
                judgements.append(self._judge(rule, state, seen, moment))
        self._memory.record(judgements)
        self._judged_ns = end_ns
        mirror(self._memory, self._store)
        self._prune(now_ns)
        return sum(judgement.event is not None for judgement in judgements)

    def _settled_ns(self, at_ns: int) -> int:
        """Return up to which second everything should have arrived at an instant."""
        settled_ns = at_ns - round(self._config.lateness_s * NS_PER_S)
        return settled_ns - settled_ns % NS_PER_S

    def deliver_due(self, now_ns: int) -> int:
        """Send the webhooks whose time has come; return how many were delivered."""
        return self._outbox.deliver_due(now_ns)

    def status(self) -> AlertsStatus:
        """Return the states and what is left to do."""
        backlog = self._memory.backlog()
        done = backlog.deliveries
        return AlertsStatus(
            judged_ns=self._judged_ns,
            states=tuple(self._memory.states().values()),
            pending=done.get(DeliveryStatus.PENDING, 0),
            delivered=done.get(DeliveryStatus.DELIVERED, 0),
            dead=done.get(DeliveryStatus.DEAD, 0),
            disabled=done.get(DeliveryStatus.DISABLED, 0),
            disabled_endpoints=tuple(sorted(self._memory.disabled_endpoints())),
            unmirrored=backlog.unmirrored,
        )

    def close(self) -> None:
        """Close the file of the state and the sender."""
        if self._own_sender is not None:
            self._own_sender.close()
        self._memory.close()

    def _dead_man(
        self, known: dict[tuple[str, DecisionClass], AlertState], now_ns: int
    ) -> Iterator[Judgement]:
        """Judge whether data still come, and take what is judged by that out of `known`."""
        for state, event, transition in self._watch.judge(known, now_ns):
            if event is None or transition is None:
                yield Judgement(state)
            else:
                yield self._judgement(state, event, transition, None)

    def _judge(
        self,
        rule: BurnRule,
        state: AlertState,
        seen: Mapping[DecisionClass, Windows],
        moment: _Moment,
    ) -> Judgement:
        decision_class = state.decision_class
        windows = seen.get(decision_class) or Windows(
            long=empty_window(rule.long_window_s), short=empty_window(rule.short_window_s)
        )
        newest_ns = max(state.data_ns, windows.long.newest_ns)
        silent_ns = moment.known_ns - newest_ns
        verdict = evaluate(rule, windows)
        after, transition = advance(
            state,
            rule,
            Observation(
                status=verdict.status,
                at_ns=moment.end_ns,
                newest_ns=newest_ns,
                is_silent=silent_ns > self._config.nodata_s * NS_PER_S,
            ),
        )
        if transition is None:
            return self._blamed_late(rule, after, verdict, seen, moment)
        if transition.notification == FIRED:
            evidence = gather(self._reader, rule, decision_class, seen, moment.end_ns)
            verdict = evaluate(rule, replace(windows, spent_usd=evidence.spent_usd))
            event = _with_blame(_event(rule, after, transition, verdict, moment), evidence.blame)
            capture = _capture(rule, event, moment)
            return self._judgement(after, event, transition, rule, evidence.move, capture)
        if transition.to_state is Phase.UNKNOWN:
            silence = duration_text(silent_ns / NS_PER_S)
            verdict = replace(verdict, reason=f"no decisions of {decision_class} for {silence}")
        event = _event(rule, after, transition, verdict, moment)
        last = self._memory.last_event(event.episode_id)
        if last is not None:
            event = _with_blame_of(event, last)
        return self._judgement(after, event, transition, rule)

    def _blamed_late(
        self,
        rule: BurnRule,
        state: AlertState,
        verdict: Verdict,
        seen: Mapping[DecisionClass, Windows],
        moment: _Moment,
    ) -> Judgement:
        """Name the segment of a firing alert, where another one stands out than was named.

        Whoever was told is not told again; the pages show it.
        """
        # A class that has fallen silent is in no window: nothing can stand out in it.
        if state.shown is not Phase.FIRING or state.decision_class not in seen:
            return Judgement(state)
        events = self._memory.events(state.episode_id)
        if not events:
            return Judgement(state)
        is_another, found = self._late.find(rule, state.decision_class, events, moment.end_ns)
        if not is_another:
            return Judgement(state)
        named = Transition(
            episode_id=state.episode_id,
            seq=state.seq + 1,
            from_state=Phase.FIRING,
            to_state=Phase.FIRING,
            at_ns=moment.end_ns,
            started_ns=state.started_ns,
            notification="",
        )
        event = _with_blame(_event(rule, state, named, verdict, moment), found)
        return self._judgement(replace(state, seq=named.seq), event, named, rule)

    def _close_gone(
        self, states: Mapping[tuple[str, DecisionClass], AlertState], moment: _Moment
    ) -> Iterator[Judgement]:
        """Close what is open where nothing judges any more: a rule that is not configured, a
        class that nobody has seen for a day and that no rule names.
        """
        rules = {rule.name: rule for rule in self._config.rules}
        for state in states.values():
            rule = rules.get(state.rule)
            if rule is None:
                reason = f"rule {state.rule} is no longer configured: nothing judges this any more"
            elif named_class(rule) is None and is_forgotten(state, moment.known_ns, _FORGET_NS):
                reason = f"no decisions of {state.decision_class} for a day: it is taken for gone"
            else:
                continue
            after, transition = retire(state, moment.end_ns)
            last = self._memory.last_event(state.episode_id)
            if transition is None or last is None:
                yield Judgement(after, is_over=True)
                continue
            event = replace(
                last,
                seq=transition.seq,
                from_state=transition.from_state.value,
                to_state=transition.to_state.value,
                at_ns=transition.at_ns,
                recorded_ns=moment.now_ns,
                reason=reason,
            )
            yield replace(self._judgement(after, event, transition, rule), is_over=True)

    def _judgement(
        self,
        state: AlertState,
        event: AlertEvent,
        transition: Transition,
        rule: BurnRule | None,
        move: Move | None = None,
        capture: CaptureRequest | None = None,
    ) -> Judgement:
        _log.info(
            "alert_changed",
            episode_id=event.episode_id,
            rule=event.rule,
            action=event.action,
            region=event.region,
            from_state=event.from_state,
            to_state=event.to_state,
            reason=event.reason,
        )
        kind = transition.notification
        if not kind:
            return Judgement(state, event, capture=capture)
        content = body(kind, event, rule, move)
        messages = tuple(
            Message(
                webhook_id=webhook_id(event.episode_id, event.seq, endpoint.name),
                endpoint=endpoint.name,
                episode_id=event.episode_id,
                seq=event.seq,
                kind=kind,
                body=content,
            )
            for endpoint in self._config.webhooks
        )
        return Judgement(state, event, messages, capture)

    def _prune(self, now_ns: int) -> None:
        if now_ns - self._pruned_ns >= _PRUNE_NS:
            self._memory.prune(now_ns - _KEEP_NS)
            self._late.forget({state.episode_id for state in self._memory.states().values()})
            self._pruned_ns = now_ns


def _classes(
    rule: BurnRule,
    seen: Mapping[DecisionClass, Windows],
    states: Mapping[tuple[str, DecisionClass], AlertState],
) -> list[DecisionClass]:
    """Return what the rule judges: what decided anything, what it names, and what it remembers.

    A class that fell silent is in none of the windows, and must not leave by that.
    """
    remembered = {decision_class for name, decision_class in states if name == rule.name}
    named = named_class(rule)
    found = {*seen, *remembered, *([named] if named else [])}
    return sorted(decision_class for decision_class in found if covers(rule, decision_class))


def _event(
    rule: BurnRule, state: AlertState, transition: Transition, verdict: Verdict, moment: _Moment
) -> AlertEvent:
    return AlertEvent(
        episode_id=transition.episode_id,
        seq=transition.seq,
        rule=rule.name,
        severity=rule.severity,
        action=state.decision_class.action,
        region=state.decision_class.region,
        from_state=transition.from_state.value,
        to_state=transition.to_state.value,
        at_ns=transition.at_ns,
        recorded_ns=moment.now_ns,
        started_ns=transition.started_ns,
        window_s=rule.long_window_s,
        loss_usd=verdict.loss_usd,
        loss_low_usd=verdict.loss_low_usd,
        loss_high_usd=verdict.loss_high_usd,
        revenue_at_risk_usd_per_h=verdict.risk_usd_per_h,
        burn=verdict.burn,
        basis=verdict.basis or "unknown",
        slope_source=verdict.slope_source,
        blamed_stage="",
        blamed_class="",
        blamed_excess_ns=0,
        reason=verdict.reason,
    )


def _with_blame(event: AlertEvent, found: Blame | None) -> AlertEvent:
    if found is None:
        return replace(event, reason=f"{event.reason}; no segment stands out")
    return replace(
        event,
        blamed_stage=found.stage,
        blamed_class=found.latency_class,
        blamed_excess_ns=found.excess_ns,
        reason=f"{event.reason}; {found.segment} takes longer than {found.baseline}",
    )


def _with_blame_of(event: AlertEvent, last: AlertEvent) -> AlertEvent:
    return replace(
        event,
        blamed_stage=last.blamed_stage,
        blamed_class=last.blamed_class,
        blamed_excess_ns=last.blamed_excess_ns,
    )


def _capture(rule: BurnRule, event: AlertEvent, moment: _Moment) -> CaptureRequest:
    return CaptureRequest(
        trigger_id=f"{event.episode_id}/{event.seq}",
        at_ns=moment.now_ns,
        from_ns=moment.end_ns - rule.long_window_s * NS_PER_S - _CAPTURE_MARGIN_NS,
        to_ns=moment.now_ns + _CAPTURE_MARGIN_NS,
        action=event.action,
        region=event.region,
    )
