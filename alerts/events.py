"""Pure: the rows that the job writes of a transition."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from alerts.evidence.search import Found
from alerts.rows import AlertEvent, CaptureRequest, calls_of, failing_percent, focus_of, focus_text
from alerts.rules.base import Evaluation, Moment, Rule, RuleConfig, duration_text, share_text
from alerts.state.subject import Subject
from alerts.state.transitions import AlertState, Transition
from collector.core.clock import NS_PER_S

# A capture reaches a little past the window on both sides: connections outlive decisions.
_CAPTURE_MARGIN_NS = 5 * NS_PER_S
# As the examples of an alert have it (evidence/sql/exemplars.sql): then it is about failing.
_FAILED_SHARE_MIN = 0.2
# A message has room for 500 characters of reason.
_WHY_MAX = 120


def transition_event(
    rule: Rule[RuleConfig, Any],
    state: AlertState,
    transition: Transition,
    evaluation: Evaluation,
    moment: Moment,
) -> AlertEvent:
    """Return the row of a transition; it names no suspect yet."""
    cost = evaluation.cost
    return AlertEvent(
        episode_id=transition.episode_id,
        seq=transition.seq,
        rule=rule.config.name,
        severity=rule.config.severity,
        action=state.subject.action,
        region=state.subject.region,
        from_state=transition.from_state.value,
        to_state=transition.to_state.value,
        at_ns=transition.at_ns,
        recorded_ns=moment.now_ns,
        started_ns=transition.started_ns,
        window_s=evaluation.window_s or rule.window_s,
        loss_usd=cost.loss_usd,
        loss_low_usd=cost.loss_low_usd,
        loss_high_usd=cost.loss_high_usd,
        revenue_at_risk_usd_per_h=cost.risk_usd_per_h,
        burn=cost.burn,
        basis=cost.basis,
        slope_source=cost.slope_source,
        blamed_stage="",
        blamed_class="",
        blamed_excess_ns=0,
        reason=evaluation.reason,
    )


def with_suspect(event: AlertEvent, found: Found, of_class: Subject | None = None) -> AlertEvent:
    """Return the event with what it is about: failures that carry its loss, and the segment that
    stands out; and the path in words.

    Args:
        event: of an alert that fires.
        found: of the class that it is about, or of several the one that loses most.
        of_class: the latter, where its reason does not name it yet.
    """
    if of_class is not None and of_class != Subject(event.action, event.region):
        event = replace(event, reason=f"{event.reason}; {focus_text(of_class)}")
    suspect = found.suspect
    path = f"; {found.path.text}" if found.path is not None else ""
    failing, whose = "", _whose(event.reason)
    if found.failing is not None and found.is_of_failures:
        of_them = f"{share_text(found.failing.loss_share)} of the loss is of them"
        failing = f"{share_text(found.failed_share)} of {whose} fail, {of_them}; "
    elif suspect is None and found.failed_share >= _FAILED_SHARE_MIN:
        failing = f"{share_text(found.failed_share)} of {whose} fail; "
    if suspect is None:
        return replace(event, reason=f"{failing}{event.reason}; no segment stands out{path}")
    longer = f"{suspect.segment} takes longer than {suspect.baseline}"
    return replace(
        event,
        blamed_stage=suspect.stage,
        blamed_class=suspect.latency_class,
        blamed_excess_ns=suspect.excess_ns,
        reason=f"{failing}{event.reason}; {longer}{path}",
    )


def with_suspect_of(event: AlertEvent, last: AlertEvent) -> AlertEvent:
    """Return the event with the suspect, the failures and the incident of the one before it."""
    return replace(
        event,
        incident_id=last.incident_id,
        blamed_stage=last.blamed_stage,
        blamed_class=last.blamed_class,
        blamed_excess_ns=last.blamed_excess_ns,
        reason=_with_failures(event.reason, last),
    )


def _with_failures(reason: str, last: AlertEvent) -> str:
    """Return why an alert ends or falls silent, and that it was about failures and calls."""
    percent = failing_percent(last.reason)
    failed = [f"{percent:g}% of {_whose(last.reason)} failed"] if percent else []
    return "; ".join([reason, *failed, *calls_of(last.reason)])


def _whose(reason: str) -> str:
    """Return whose decisions fail: of an alert about several classes those of one alone."""
    focus = focus_of(reason)
    return f"the decisions of {focus}" if focus else "its decisions"


def held_back(event: AlertEvent, why: str, for_ns: int) -> AlertEvent:
    """Return the event of an alert that is told of only now, and says so."""
    held = f"held back for {duration_text(for_ns / NS_PER_S)} ({why[:_WHY_MAX]})"
    return replace(event, reason=f"{held}; {event.reason}")


def capture_request(event: AlertEvent, of_class: Subject, moment: Moment) -> CaptureRequest:
    """Return the request to keep the packets of the window in which an alert began to fire."""
    return CaptureRequest(
        trigger_id=f"{event.episode_id}/{event.seq}",
        at_ns=moment.now_ns,
        from_ns=moment.end_ns - event.window_s * NS_PER_S - _CAPTURE_MARGIN_NS,
        to_ns=moment.now_ns + _CAPTURE_MARGIN_NS,
        action=of_class.action,
        region=of_class.region,
    )


def closing_event(
    last: AlertEvent, transition: Transition, moment: Moment, reason: str
) -> AlertEvent:
    """Return the row of an episode that nothing evaluates any more, with its last figures."""
    return replace(
        last,
        seq=transition.seq,
        from_state=transition.from_state.value,
        to_state=transition.to_state.value,
        at_ns=transition.at_ns,
        recorded_ns=moment.now_ns,
        reason=_with_failures(reason, last),
    )
