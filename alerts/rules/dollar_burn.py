"""Pure: the rule kind `dollar_burn`: lateness spends a budget of dollars too fast."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, ClassVar, Final, Protocol, TypeVar

from alerts.rows import UNKNOWN
from alerts.rules.base import (
    Evaluation,
    Moment,
    Reader,
    Rule,
    Wording,
    missing_text,
    observe,
    unless_missing,
)
from alerts.rules.burn_rate import EMPTY_WINDOW, Away, Losses, Window, burn_of
from alerts.rules.moves import MovesDecisions
from alerts.rules.reroute import propose
from alerts.rules.rings import read_sums
from alerts.rules.tiers import DollarBurnConfig
from alerts.state.proposal import Move, OpenMoves
from alerts.state.subject import Subject
from alerts.state.transitions import ACTIVE_PHASES, AlertState, Status
from collector.core.times import NS_PER_DAY, NS_PER_MINUTE, NS_PER_S

if TYPE_CHECKING:
    # Commands that read settings import this module: numpy would cost each of them a tenth of a
    # second.
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

# Longer windows end at whole minutes and are read once a minute: one second changes little in
# them, and there is much to read. A late decision is in them a minute later at the most.
KEPT_S: Final = 1_800
AnyNs = TypeVar("AnyNs", int, "Ints")

_NO_LOSSES: Final = Losses({})


class ClassLosses(Protocol):
    """What one class lost up to the moment of a pass."""

    def since(self, since_ns: int, lengths: Sequence[int]) -> Losses:
        """Return windows of these lengths in seconds; none of them begins before an instant."""
        ...


@dataclass(frozen=True, slots=True)
class BurnFacts:
    """The losses of every class that decided anything in the longest window, at one moment."""

    moment: Moment
    by_class: Mapping[Subject, ClassLosses]  # those that the rule does not cover too: to move to
    factors: Mapping[int, Decimal]  # of what the budget allows, by length of window


@dataclass(frozen=True, slots=True)
class DollarBurn(Rule[DollarBurnConfig, BurnFacts], MovesDecisions[BurnFacts]):
    """Fires when both windows of a tier burn the budget; docs of the arithmetic: `burn_rate`.

    A dollar pages once: what was lost before the end of an alert is in no window of the next one.
    """

    model: ClassVar = DollarBurnConfig
    owns_losses: ClassVar[bool] = True

    config: DollarBurnConfig

    @property
    def explains_decisions(self) -> bool:
        """Return that it is: what it counts is lost to lateness and failures."""
        return True

    @property
    def window_s(self) -> int:
        """Return the long window of the fastest tier."""
        return self.config.tiers[0].long_window_s

    def read(
        self, reader: Reader, moment: Moment, states: Mapping[Subject, AlertState]
    ) -> BurnFacts:
        """Read what every class lost in all windows."""
        lengths = self.config.windows_s
        ended_ns = [*moment.from_ns, *(state.ended_ns for state in states.values())]
        recent = [each for each in lengths if each <= KEPT_S]
        kept = [each for each in lengths if each > KEPT_S]
        minute_ns = window_end_ns(KEPT_S + 1, moment.end_ns)
        parts = (
            read_sums(reader.rows, _starts_ns(recent, ended_ns, moment.end_ns), moment.end_ns),
            read_sums(reader.kept_rows, _starts_ns(kept, ended_ns, minute_ns), minute_ns),
        )
        found = {each for sums in parts for each in sums}
        return BurnFacts(
            moment,
            {
                each: _StoredLosses(moment.end_ns, *(sums.get(each, {}) for sums in parts))
                for each in found
            },
            budget_factors(self.config, moment.end_ns, reader.budget_factor),
        )

    def subjects(self, facts: BurnFacts) -> Mapping[Subject, int]:
        """Return what spends a budget: the classes, the actions or all, and what the rule names."""
        owners = (self.owner(each) for each in facts.by_class)
        found = {each for each in owners if each is not None}
        return self.config.classes(found, facts.moment.end_ns)

    def evaluate(self, facts: BurnFacts, state: AlertState) -> Evaluation:
        """Compare the loss of one subject with the budget."""
        return self._evaluate(facts, state, self._losses(facts, state))

    def wording(self, subject: Subject) -> Wording:
        """Return the words for one subject."""
        shorts = {tier.long_window_s: tier.short_window_s for tier in self.config.tiers}
        return self.config.wording(f"decisions of {subject}", shorts)

    def focus(self, facts: BurnFacts, subject: Subject) -> Subject:
        """Return the class of a subject that lost most in its shortest window, for the evidence."""
        seconds = self.config.windows_s[0]
        lost = {
            each: facts.by_class[each].since(0, (seconds,)).window(seconds).loss_usd
            for each in self._classes(facts, subject)
        }
        return max(lost, key=lambda each: (lost[each], each), default=subject)

    def gives_way(self, facts: BurnFacts, state: AlertState, of_class: Subject) -> bool:
        """Return whether a class is well, with those that are away, and another burns by itself."""
        every, focus = self._all_losses(facts), self.focus(facts, state.subject)
        if focus == of_class or focus not in every:
            return False
        is_moved = state.proposal is not None and state.proposal.moved == of_class
        away = self._away(facts, state) if is_moved else None
        before = replace(every.get(of_class, _NO_LOSSES), factors=facts.factors, away=away)
        if burn_of(self.config, before).status is not Status.OK:
            return False
        now = replace(every[focus], factors=facts.factors)
        return burn_of(self.config, now).status is Status.BREACHED

    def explain(
        self, reader: Reader, facts: BurnFacts, state: AlertState, evaluation: Evaluation
    ) -> Evaluation:
        """Return an evaluation with when the budget is spent."""
        spent_usd = _budget_spent(reader, self.config, state.subject, facts.moment.end_ns)
        losses = replace(self._losses(facts, state), spent_usd=spent_usd)
        return self._evaluate(facts, state, losses)

    def propose(
        self,
        facts: BurnFacts,
        subject: Subject,
        is_closed: Callable[[Subject], bool],
        moves: OpenMoves,
    ) -> Move | None:
        """Return where the decisions of the class that loses most could go instead."""
        focus, every = self.focus(facts, subject), self._all_losses(facts)
        return propose(
            self.config, focus, every, is_closed, lambda target: moves.per_s(target, but_of=focus)
        )

    def usual_route(self, reader: Reader, move: Move, end_ns: int) -> str:
        """Return the route that most decisions to be moved take, "" where they carry none."""
        moved = Subject(move.action, move.region)
        return _usual_route(reader, moved, end_ns - self.window_s * NS_PER_S, end_ns)

    def is_in_trouble(self, facts: BurnFacts, of_class: Subject) -> bool:
        """Return whether a class of decisions alone would fire, or fell silent where others go on.

        What cannot carry what came to it answers nobody in time.
        """
        every = self._all_losses(facts)
        losses = every.get(of_class, _NO_LOSSES)
        seconds = self.config.reset_s(self.config.tiers[0])
        if not losses.window(seconds).decisions:
            return any(each.window(seconds).decisions for each in every.values())
        return burn_of(self.config, losses).status is Status.BREACHED

    def decisions_per_s(self, facts: BurnFacts, of_class: Subject) -> float:
        """Return how many decisions a second a class has, by the window that judges an end."""
        seconds = self.config.reset_s(self.config.tiers[0])
        losses = self._all_losses(facts).get(of_class, _NO_LOSSES)
        return float(losses.window(seconds).decisions / losses.attributed_s(seconds))

    def owner(self, of_class: Subject) -> Subject | None:
        """Return whose budget the losses of a class spend, None where the rule has none for it."""
        return self.config.spender(of_class) if self.config.spends(of_class) else None

    def without(self, facts: BurnFacts, is_left_out: Callable[[Subject], bool]) -> BurnFacts:
        """Return the facts as if some classes had decided nothing."""
        left = {each: lost for each, lost in facts.by_class.items() if not is_left_out(each)}
        return replace(facts, by_class=left)

    def _classes(self, facts: BurnFacts, subject: Subject) -> Iterable[Subject]:
        """Return the classes whose losses spend the budget of a subject."""
        return (each for each in facts.by_class if self.owner(each) == subject)

    def _losses(self, facts: BurnFacts, state: AlertState) -> Losses:
        lengths = self.config.windows_s
        classes = self._classes(facts, state.subject)
        parts = (facts.by_class[each].since(state.ended_ns, lengths) for each in classes)
        lost = reduce(add, parts, _NO_LOSSES)
        return replace(lost, factors=facts.factors, away=self._away(facts, state))

    def _away(self, facts: BurnFacts, state: AlertState) -> Away | None:
        """Return what is at home of the class that was proposed to be moved, while that holds."""
        proposal = state.proposal
        if proposal is None or proposal.moved is None or not proposal.holds(facts.moment.end_ns):
            return None
        moved = facts.by_class.get(proposal.moved)
        at_home = _NO_LOSSES if moved is None else moved.since(0, self.config.windows_s)
        return Away(at_home.by_seconds, proposal.per_s)

    def _all_losses(self, facts: BurnFacts) -> dict[Subject, Losses]:
        lengths = self.config.windows_s
        return {each: found.since(0, lengths) for each, found in facts.by_class.items()}

    def _evaluate(self, facts: BurnFacts, state: AlertState, losses: Losses) -> Evaluation:
        burn = burn_of(self.config, losses)
        newest_ns = max((window.newest_ns for window in losses.by_seconds.values()), default=0)
        status = unless_missing(burn.status, state, is_missing=burn.is_end_missing)
        seen = observe(status, state, newest_ns, facts.moment)
        seconds = burn.tier.long_window_s
        reason = burn.reason + missing_text(losses.missing_s(seconds))
        cost = burn.cost
        if burn.end_unknown and burn.status is Status.OK and state.phase in ACTIVE_PHASES:
            # Its dollars are as unknown as its end. Decisions that are late as ever hold nothing
            # that failures began, nor anything for ever.
            seen = replace(seen, is_silent=seen.is_silent or burn.holds)
            cost, reason = replace(cost, basis=UNKNOWN), burn.end_unknown
        return Evaluation(seen, reason, cost, seconds)


def window_end_ns(seconds: int, end_ns: AnyNs) -> AnyNs:
    """Return where a window of this length ends in a pass whose windows end at an instant."""
    return end_ns if seconds <= KEPT_S else end_ns - end_ns % NS_PER_MINUTE


def budget_factors(
    config: DollarBurnConfig,
    end_ns: int,
    budget_factor: Callable[[Iterable[str], int, int], Decimal],
) -> dict[int, Decimal]:
    """Return how many times its usual loss a budget allows in each window of a pass."""
    if not config.calendars:
        return {}
    ends_ns = {each: window_end_ns(each, end_ns) for each in config.windows_s}
    return {
        each: budget_factor(config.calendars, at_ns - each * NS_PER_S, at_ns)
        for each, at_ns in ends_ns.items()
    }


@dataclass(frozen=True, slots=True)
class _StoredLosses:
    """The losses of one class by the instant since which they are summed."""

    end_ns: int
    recent: Mapping[int, Window]  # up to the end
    kept: Mapping[int, Window]  # up to the last whole minute

    def since(self, since_ns: int, lengths: Sequence[int]) -> Losses:
        """Return windows of these lengths in seconds; none of them begins before an instant."""
        return Losses({each: self._window(each, since_ns) for each in lengths})

    def _window(self, seconds: int, since_ns: int) -> Window:
        start_ns = max(window_end_ns(seconds, self.end_ns) - seconds * NS_PER_S, since_ns)
        return (self.recent if seconds <= KEPT_S else self.kept).get(start_ns, EMPTY_WINDOW)


def _starts_ns(lengths: Sequence[int], ended_ns: Iterable[int], end_ns: int) -> set[int]:
    """Return where windows of these lengths begin, and the ends of alerts within the longest."""
    starts_ns = {end_ns - each * NS_PER_S for each in lengths}
    from_ns = min(starts_ns, default=end_ns)
    return starts_ns | {each for each in ended_ns if from_ns < each < end_ns}


def _budget_spent(
    reader: Reader, config: DollarBurnConfig, subject: Subject, end_ns: int
) -> Decimal:
    """Return what a class lost in the time that the budget is for."""
    from_ns = max(0, end_ns - round(config.budget_days * NS_PER_DAY))
    [(spent_usd,)] = reader.rows(
        "budget_spent",
        __file__,
        from_ns=from_ns,
        end_ns=end_ns,
        action=subject.action,
        region=subject.region,
    )
    return Decimal(spent_usd)


def _usual_route(reader: Reader, subject: Subject, from_ns: int, end_ns: int) -> str:
    """Return the route that most decisions of a class took, "" where they carry none."""
    rows = reader.rows(
        "usual_route",
        __file__,
        from_ns=from_ns,
        end_ns=end_ns,
        action=subject.action,
        region=subject.region,
    )
    return str(rows[0][0]) if rows else ""
