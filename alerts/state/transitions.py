"""Pure: inactive -> pending -> firing -> cooling -> resolved; unknown lies over any of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum

from alerts.state.proposal import Proposal
from alerts.state.subject import Subject
from collector.core.times import NS_PER_MS, NS_PER_S


class Status(StrEnum):
    """The result of comparing one subject with one rule."""

    NO_DATA = "no_data"  # nothing is known: neither begins nor ends an alert
    OK = "ok"
    BURNING = "burning"  # over the threshold, but not surely: keeps an alert, begins none
    BREACHED = "breached"


class Phase(StrEnum):
    """The phase of an alert. `UNKNOWN` is only shown; the phase beneath it is kept."""

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"
    COOLING = "cooling"
    RESOLVED = "resolved"
    UNKNOWN = "unknown"


FIRED = "alert.firing"
RESOLVED = "alert.resolved"

CLOSED = (Phase.INACTIVE, Phase.RESOLVED)
ACTIVE_PHASES = (Phase.FIRING, Phase.COOLING)
_ACTIVE_TIMES_LONGER = 7


@dataclass(frozen=True, slots=True)
class AlertState:
    """Everything that the next evaluation of one subject by one rule needs."""

    rule: str
    subject: Subject
    phase: Phase
    is_unknown: bool
    # Time that the phase's own condition has held, by evaluations that had data; inactive has none:
    # for which there were data.
    held_ns: int
    judged_ns: int  # instant of the last evaluation
    data_ns: int  # newest data of the subject
    episodes: int  # opened so far
    episode_id: str  # 32 hex digits, "" before the first
    seq: int  # of the last transition in the episode
    started_ns: int  # when the episode began to fire, 0 before
    ended_ns: int  # when the last episode that fired was over, 0 before
    proposal: Proposal | None = None  # that receivers were sent last in this episode

    @property
    def key(self) -> tuple[str, Subject]:
        """Return the rule and the subject, under which the state is stored."""
        return self.rule, self.subject

    @property
    def shown(self) -> Phase:
        """Return the phase that a person sees."""
        return Phase.UNKNOWN if self.is_unknown else self.phase


@dataclass(frozen=True, slots=True)
class Observation:
    """The status of a subject at one instant, and whether it has been silent for too long."""

    status: Status
    at_ns: int
    newest_ns: int  # newest data of the subject, 0 where none is known
    is_silent: bool  # the status then means nothing: the alert is unknown


@dataclass(frozen=True, slots=True)
class Timing:
    """The times of a rule, in seconds."""

    for_s: float  # a breach has to last so long before the alert fires
    keep_firing_s: float  # the alert fires on for so long after the breach
    window_s: int  # time before an instant that one evaluation looks at


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of the phase that is shown. `(episode_id, seq)` identifies it."""

    episode_id: str
    seq: int
    from_state: Phase
    to_state: Phase
    at_ns: int
    started_ns: int
    notification: str  # alert.firing, alert.resolved or "": most changes are not sent

    @classmethod
    def while_firing(cls, state: AlertState, at_ns: int) -> Transition:
        """Return the change of an alert that goes on, when something new is known of it."""
        return cls(
            episode_id=state.episode_id,
            seq=state.seq + 1,
            from_state=state.shown,
            to_state=state.shown,
            at_ns=at_ns,
            started_ns=state.started_ns,
            notification="",
        )


def first_state(rule: str, subject: Subject, at_ns: int) -> AlertState:
    """Return the state of a subject before its first evaluation; silence counts from `at_ns`."""
    return AlertState(
        rule=rule,
        subject=subject,
        phase=Phase.INACTIVE,
        is_unknown=False,
        held_ns=0,
        judged_ns=at_ns,
        data_ns=at_ns,
        episodes=0,
        episode_id="",
        seq=0,
        started_ns=0,
        ended_ns=0,
    )


def advance(
    state: AlertState, timing: Timing, seen: Observation
) -> tuple[AlertState, Transition | None]:
    """Return the state after one evaluation, and the change of the phase shown, if there is one.

    The same instant again changes nothing; an earlier one than the last is ignored. Without data
    the phase stays and its clock stands still: silence neither fires nor resolves.
    """
    if seen.at_ns < state.judged_ns:
        return state, None
    status = Status.NO_DATA if seen.is_silent else seen.status
    held_ns = state.held_ns + _covered_ns(state, timing, status, seen.at_ns)
    phase = _next_phase(state.phase, status, held_ns, timing)
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


def set_back(state: AlertState, now_ns: int, data_ns: int) -> AlertState:
    """Return a state of a clock that was ahead: no time in it is to come.

    Else it would take every evaluation for an earlier one until the clock has caught up.

    Args:
        state: as it was left.
        now_ns: to which the clock was set back.
        data_ns: the same for its data.
    """
    proposal = state.proposal
    return replace(
        state,
        judged_ns=min(state.judged_ns, now_ns),
        data_ns=min(state.data_ns, data_ns),
        started_ns=min(state.started_ns, now_ns),
        ended_ns=min(state.ended_ns, now_ns),
        proposal=proposal and replace(proposal, made_ns=min(proposal.made_ns, now_ns)),
    )


def retire(state: AlertState, at_ns: int) -> tuple[AlertState, Transition | None]:
    """Return the state with its episode closed, and the transition: nothing evaluates it now."""
    if state.shown in CLOSED:
        return state, None
    phase = Phase.RESOLVED if state.phase in ACTIVE_PHASES else Phase.INACTIVE
    after = replace(state, phase=phase, is_unknown=False, held_ns=0)
    return _numbered(state, after, max(at_ns, state.judged_ns))


def is_forgotten(state: AlertState, settled_ns: int, forget_ns: int) -> bool:
    """Return whether a subject has been gone for so long that its state can be dropped.

    One that was firing when it fell silent is kept seven times as long: nobody has seen its end.
    """
    times = _ACTIVE_TIMES_LONGER if state.phase in ACTIVE_PHASES else 1
    return settled_ns - state.data_ns > times * forget_ns


def _next_phase(phase: Phase, status: Status, held_ns: int, timing: Timing) -> Phase:
    if status is Status.NO_DATA:
        return phase
    if phase in CLOSED:
        if status is not Status.BREACHED:
            return phase
        return Phase.PENDING if timing.for_s > 0 else Phase.FIRING
    if phase is Phase.PENDING:
        if status is Status.OK:
            return Phase.INACTIVE
        return Phase.FIRING if held_ns >= timing.for_s * NS_PER_S else Phase.PENDING
    if status is not Status.OK:
        return Phase.FIRING
    if phase is Phase.FIRING:
        return Phase.COOLING if timing.keep_firing_s > 0 else Phase.RESOLVED
    return Phase.RESOLVED if held_ns >= timing.keep_firing_s * NS_PER_S else Phase.COOLING


def _covered_ns(state: AlertState, timing: Timing, status: Status, at_ns: int) -> int:
    needed = {Phase.PENDING: Status.BREACHED, Phase.COOLING: Status.OK}.get(state.phase)
    holds = status is needed or (state.phase is Phase.INACTIVE and status is not Status.NO_DATA)
    if not holds:
        return 0
    # An evaluation covers its window at most: nobody has seen the time before, for instance while
    # the service was stopped.
    return min(at_ns - state.judged_ns, timing.window_s * NS_PER_S)


def _numbered(
    before: AlertState, after: AlertState, at_ns: int
) -> tuple[AlertState, Transition | None]:
    if before.shown is after.shown:
        return after, None
    if before.shown in CLOSED:
        after = replace(
            after,
            episodes=before.episodes + 1,
            episode_id=_episode_id(before, at_ns),
            seq=0,
            started_ns=0,
            proposal=None,
        )
    notification = ""
    if after.phase is Phase.FIRING and before.phase not in ACTIVE_PHASES:
        notification = FIRED
        after = replace(after, started_ns=at_ns)
    elif after.phase is Phase.RESOLVED and before.phase in ACTIVE_PHASES:
        notification = RESOLVED
        after = replace(after, ended_ns=at_ns, proposal=None)
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
    # Sorted by time like a UUIDv7, but derived: an evaluation that is repeated after a crash gives
    # the same id, and so the same rows and the same webhook-id.
    named = state.subject
    text = "\0".join((state.rule, named.action, named.region, str(at_ns), str(state.episodes)))
    return f"{at_ns // NS_PER_MS:012x}{hashlib.sha256(text.encode()).hexdigest()[:20]}"
