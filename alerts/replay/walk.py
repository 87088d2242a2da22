"""Pure: a rule over a stretch of time, evaluated at the instants at which something can happen.

Comparing whole arrays shows at which instants nothing can, and they are many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alerts.replay.series import Ints
from alerts.rules.base import Evaluation, Moment, Progress, Rule, RuleConfig
from alerts.state.subject import Subject
from alerts.state.transitions import (
    CLOSED,
    RESOLVED,
    AlertState,
    Phase,
    Timing,
    Transition,
    advance,
    first_state,
)

Flags = NDArray[np.bool_]
AnyRule = Rule[RuleConfig, Any]


@dataclass(frozen=True, slots=True)
class Instants:
    """When a rule is evaluated, in order; Unix ns.

    Args:
        end_ns: of the windows.
        known_ns: everything older had arrived.
        nodata_ns: duration without decisions after which a state is unknown.
    """

    end_ns: Ints
    known_ns: Ints
    nodata_ns: int

    def moment(self, index: int) -> Moment:
        """Return the moment of one of them."""
        known_ns = int(self.known_ns[index])
        return Moment(
            now_ns=known_ns,
            known_ns=known_ns,
            end_ns=int(self.end_ns[index]),
            started_ns=int(self.known_ns[0]),
            nodata_ns=self.nodata_ns,
            progress=Progress(0, known_ns),
        )


@dataclass(frozen=True, slots=True)
class Change:
    """A transition that a rule makes, and the evaluation behind it."""

    subject: Subject
    transition: Transition
    evaluation: Evaluation
    window_s: int  # that the evaluation looked at
    focus: Subject | None = None  # class of decisions to look for evidence in; None: not decisions


@dataclass(frozen=True, slots=True)
class Matters:
    """Instants at which a state can change, ascending, and in each one past the end."""

    begins: Ints  # a tier may be breached, or nothing arrives: the others leave a closed state
    ends: Ints  # no tier burns, or nothing arrives: the others leave an alert firing
    arrives: Ints  # data arrive: the others leave an unknown state

    @staticmethod
    def of(may_breach: Flags, surely_breaches: Flags, is_silent: Flags) -> Matters:
        """Return the instants that flags, one an instant, leave."""
        return Matters(
            begins=_set(may_breach | is_silent),
            ends=_set(~surely_breaches | is_silent),
            arrives=_set(~is_silent),
        )

    def next(self, state: AlertState, index: int) -> int:
        """Return the instant to evaluate after one.

        The one before it is evaluated too, so that what the state machine counts since the last
        evaluation is one interval.
        """
        if state.is_unknown:
            candidates = self.arrives
        elif state.phase is Phase.FIRING:
            candidates = self.ends
        elif state.phase in CLOSED:
            candidates = self.begins
        else:
            return index + 1
        target = int(candidates[np.searchsorted(candidates, index + 1)])
        return max(index + 1, target - 1)


def walk(
    rule: AnyRule,
    subject: Subject,
    ends_ns: Ints,
    first: int,
    facts_at: Callable[[int], Any],
    matters_since: Callable[[int], Matters],
) -> Iterator[Change]:
    """Yield what a rule does about a subject, from a quiet beginning.

    Args:
        rule: evaluated by the function that evaluates it live.
        subject: what it is about.
        ends_ns: of the instants, Unix ns, ascending.
        first: index of the instant at which the subject is seen for the first time.
        facts_at: returns the facts of the instant with an index.
        matters_since: returns the instants that matter to windows that begin at a Unix ns or later.
    """
    timing = Timing(rule.config.for_s, rule.config.keep_firing_s, rule.window_s)
    state = first_state(rule.config.name, subject, int(ends_ns[first]))
    index, matters = first, matters_since(0)
    while index < len(ends_ns):
        facts = facts_at(index)
        evaluation = rule.evaluate(facts, state)
        state, transition = advance(state, timing, evaluation.seen)
        if transition is not None:
            window_s = evaluation.window_s or rule.window_s
            focus = rule.focus(facts, subject) if rule.is_about_decisions else None
            yield Change(subject, transition, evaluation, window_s, focus)
            if transition.notification == RESOLVED:
                matters = matters_since(state.ended_ns)
        index = matters.next(state, index)


def _set(flags: Flags) -> Ints:
    """Return where flags are set, ascending, and behind them one past the end."""
    return np.append(np.flatnonzero(flags), len(flags) + 1)
