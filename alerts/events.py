"""Pure: the rows that the job writes of a transition."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from alerts.evidence.search import Found
from alerts.rows import (
    DELIVERY,
    AlertEvent,
    CaptureRequest,
    failing_text,
    share_text,
    why_alone,
)
from alerts.rules.base import Evaluation, Moment, Rule, RuleConfig, duration_text
from alerts.state.subject import Subject
from alerts.state.transitions import AlertState, Transition
from collector.core.times import NS_PER_S

# A capture reaches a little past the window on both sides: connections outlive decisions.
_CAPTURE_MARGIN_NS = 5 * NS_PER_S
# As the examples of an alert have it (evidence/sql/exemplars.sql): then it is about failing.
_FAILED_SHARE_MIN = 0.2
_NO_SUSPECT = "no segment stands out"
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


def with_suspect(
    event: AlertEvent, found: Found, of_class: Subject, *, is_about_failures: bool = False
) -> AlertEvent:
    """Return the event with what it is about: failures that carry its loss, and the segment that
    stands out; and the path in words.

    Args:
        event: of an alert that fires.
        found: of a class of decisions.
        of_class: that class: the one that it is on, or of several the one that loses most.
        is_about_failures: whether its rule is, whatever they make of the loss.
    """
    suspect = found.suspect
    focus = "" if of_class == Subject(event.action, event.region) else str(of_class)
    is_of_many = suspect is None and found.failed_share >= _FAILED_SHARE_MIN
    is_of_failures = is_about_failures or found.is_of_failures or is_of_many
    failing_share = found.failed_share if is_of_failures else 0.0
    failing = failing_text(failing_share, focus)
    if found.failing is not None and found.is_of_failures:
        failing += f", {share_text(found.failing.loss_share)} of the loss is of them"
    parts = [
        failing,
        event.reason,
        f"{focus} loses most of it" if focus else "",
        f"{suspect.segment} takes longer than {suspect.baseline}" if suspect else _NO_SUSPECT,
        found.path.text if found.path is not None else "",
    ]
    event = replace(
        event, focus=focus, failing_share=failing_share, reason="; ".join(filter(None, parts))
    )
    if suspect is None:
        return event
    return replace(
        event,
        blamed_stage=suspect.stage,
        blamed_class=suspect.latency_class,
        blamed_excess_ns=suspect.excess_ns,
        blamed_baseline=suspect.baseline,
    )


def with_suspect_of(event: AlertEvent, last: AlertEvent) -> AlertEvent:
    """Return the event with the suspect, the failures and the incident of the one before it."""
    return replace(
        event,
        incident_id=last.incident_id,
        blamed_stage=last.blamed_stage,
        blamed_class=last.blamed_class,
        blamed_excess_ns=last.blamed_excess_ns,
        blamed_baseline=last.blamed_baseline,
        focus=last.focus,
        failing_share=last.failing_share,
        failing_call=last.failing_call,
        failing_call_text=last.failing_call_text,
        slow_call=last.slow_call,
        slow_call_text=last.slow_call_text,
        reason=_with_failures(event.reason, last),
    )


def _with_failures(reason: str, last: AlertEvent) -> str:
    """Return why an alert ends or falls silent, and that it was about failures."""
    failed = failing_text(last.failing_share, last.focus, "failed")
    return f"{reason}; {failed}" if failed else reason


def held_back(event: AlertEvent, why: str, for_ns: int) -> AlertEvent:
    """Return the event of an alert that is told of only now, and says so."""
    held = f"held back for {duration_text(for_ns / NS_PER_S)} ({why[:_WHY_MAX]})"
    return replace(event, reason=f"{why_alone(event.reason)}{DELIVERY}{held}")


def routed_anew(event: AlertEvent, last: AlertEvent, *, is_shadow: bool) -> AlertEvent:
    """Return the event of an alert that is routed from now on, or no longer; why it fires stays."""
    act = "was taken back into shadow" if is_shadow else "was promoted"
    reason = f"{why_alone(last.reason)}{DELIVERY}rule {last.rule} {act}"
    return replace(with_suspect_of(event, last), reason=reason)


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
