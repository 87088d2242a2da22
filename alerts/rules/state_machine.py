"""Pure: inactive -> pending -> firing -> cooling -> resolved; unknown lies over any of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum

from alerts.config import BurnRule
from alerts.rules.burn_rate import Status
from alerts.rules.decision_class import DecisionClass
from collector.core.clock import NS_PER_MS, NS_PER_S


class Phase(StrEnum):
    """Where an alert stands. `UNKNOWN` is only ever shown: what it covers is kept beneath."""

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"
    COOLING = "cooling"
    RESOLVED = "resolved"
    UNKNOWN = "unknown"


FIRED = "alert.firing"
RESOLVED = "alert.resolved"

_CLOSED = (Phase.INACTIVE, Phase.RESOLVED)
_ALIGHT = (Phase.FIRING, Phase.COOLING)


@dataclass(frozen=True, slots=True)
class AlertState:
    """Everything that the next judgement of one class by one rule needs to remember."""

    rule: str
    decision_class: DecisionClass
    phase: Phase
    is_unknown: bool
    held_ns: int  # time that the phase's own condition has held, by judgements that knew
    judged_ns: int  # end of the windows judged last
    data_ns: int  # newest second in which the class decided anything
    episodes: int  # opened so far
    episode_id: str  # 32 hex digits, "" before the first
    seq: int  # of the last transition in the episode
    started_ns: int  # when the episode began to fire, 0 before

    @property
    def key(self) -> tuple[str, DecisionClass]:
        """Return what the state is kept by."""
        return self.rule, self.decision_class

    @property
    def shown(self) -> Phase:
        """Return what a person is shown."""
        return Phase.UNKNOWN if self.is_unknown else self.phase


@dataclass(frozen=True, slots=True)
class Observation:
    """One judgement, and whether the class has been silent for too long to believe it."""

    status: Status
    at_ns: int  # end of the windows
    newest_ns: int  # newest second with a decision of the class, 0 where none is known
    is_silent: bool


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of what is shown. `(episode_id, seq)` names it for ever."""

    episode_id: str
    seq: int
    from_state: Phase
    to_state: Phase
    at_ns: int
    started_ns: int
    notification: str  # alert.firing, alert.resolved or "": most changes are nobody's business


def first_state(rule: str, decision_class: DecisionClass, at_ns: int) -> AlertState:
    """Return the state of a class that was never judged; its silence is counted from now."""
    return AlertState(
        rule=rule,
        decision_class=decision_class,
        phase=Phase.INACTIVE,
        is_unknown=False,
        held_ns=0,
        judged_ns=at_ns,
        data_ns=at_ns,
        episodes=0,
        episode_id="",
        seq=0,
        started_ns=0,
    )


def advance(
    state: AlertState, rule: BurnRule, seen: Observation
) -> tuple[AlertState, Transition | None]:
    """Return the state after one judgement, and the change of what is shown, if there is one.

    Judging an instant again changes nothing; an earlier one than the last is ignored. Without data
    the phase stays and its clock stands still: silence neither fires nor resolves.
    """
    if seen.at_ns < state.judged_ns:
        return state, None
    status = Status.NO_DATA if seen.is_silent else seen.status
    held_ns = state.held_ns + _evidence_ns(state, rule, status, seen.at_ns)
    phase = _next_phase(state.phase, status, held_ns, rule)
    if seen.is_silent and phase is Phase.RESOLVED:
        phase = Phase.INACTIVE  # the episode is over: a silence after it is not a part of it
    after = replace(
        state,
        phase=phase,
        is_unknown=seen.is_silent or (state.is_unknown and status is Status.NO_DATA),
        held_ns=held_ns if phase is state.phase else 0,
        judged_ns=seen.at_ns,
        data_ns=max(state.data_ns, seen.newest_ns),
    )
    return _numbered(state, after, seen.at_ns)


def retire(state: AlertState, at_ns: int) -> tuple[AlertState, Transition | None]:
    """Close the episode of a rule that is no longer configured: nothing judges it any more."""
    if state.shown in _CLOSED:
        return state, None
    phase = Phase.RESOLVED if state.phase in _ALIGHT else Phase.INACTIVE
    after = replace(state, phase=phase, is_unknown=False, held_ns=0)
    return _numbered(state, after, max(at_ns, state.judged_ns))


def is_forgotten(state: AlertState, settled_ns: int, forget_ns: int) -> bool:
    """Tell whether a class has been gone for so long that its state says nothing to anyone.

    A class that was alight when it fell silent is kept: nobody has seen its end.
    """
    return state.phase not in _ALIGHT and settled_ns - state.data_ns > forget_ns


def _next_phase(phase: Phase, status: Status, held_ns: int, rule: BurnRule) -> Phase:
    if status is Status.NO_DATA:
        return phase
    if phase in _CLOSED:
        if status is not Status.BREACHED:
            return phase
        return Phase.PENDING if rule.for_s > 0 else Phase.FIRING
    if phase is Phase.PENDING:
        if status is Status.OK:
            return Phase.INACTIVE
        return Phase.FIRING if held_ns >= rule.for_s * NS_PER_S else Phase.PENDING
    if status is not Status.OK:
        return Phase.FIRING
    if phase is Phase.FIRING:
        return Phase.COOLING if rule.keep_firing_s > 0 else Phase.RESOLVED
    return Phase.RESOLVED if held_ns >= rule.keep_firing_s * NS_PER_S else Phase.COOLING


def _evidence_ns(state: AlertState, rule: BurnRule, status: Status, at_ns: int) -> int:
    needed = {Phase.PENDING: Status.BREACHED, Phase.COOLING: Status.OK}.get(state.phase)
    if status is not needed:
        return 0
    # A judgement speaks for its long window at most: what lies before, after a stop of the
    # service for instance, nobody has seen.
    return min(at_ns - state.judged_ns, rule.long_window_s * NS_PER_S)


def _numbered(
    before: AlertState, after: AlertState, at_ns: int
) -> tuple[AlertState, Transition | None]:
    if before.shown is after.shown:
        return after, None
    if before.shown in _CLOSED:
        after = replace(
            after,
            episodes=before.episodes + 1,
            episode_id=_episode_id(before, at_ns),
            seq=0,
            started_ns=0,
        )
    notification = ""
    if after.phase is Phase.FIRING and before.phase not in _ALIGHT:
        notification = FIRED
        after = replace(after, started_ns=at_ns)
    elif after.phase is Phase.RESOLVED and before.phase in _ALIGHT:
        notification = RESOLVED
    after = replace(after, seq=after.seq + 1)
    return after, Transition(
        episode_id=after.episode_id,
        seq=after.seq,
        from_state=before.shown,
        to_state=after.shown,
        at_ns=at_ns,
        started_ns=after.started_ns,
        notification=notification,
    )


def _episode_id(state: AlertState, at_ns: int) -> str:
    # Sorted by time like a UUIDv7, but derived: a judgement that is repeated after a crash gives
    # the same id, and so the same rows and the same webhook-id.
    named = state.decision_class
    text = "\0".join((state.rule, named.action, named.region, str(at_ns), str(state.episodes)))
    return f"{at_ns // NS_PER_MS:012x}{hashlib.sha256(text.encode()).hexdigest()[:20]}"
