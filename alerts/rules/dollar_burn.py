"""Pure: the rule kind `dollar_burn`: lateness spends a budget of dollars too fast."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import reduce
from operator import add
from typing import Any, ClassVar, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from alerts.rules.base import Evaluation, Moment, Move, Reader, Rule, Wording, observe
from alerts.rules.burn_rate import Losses, Window, burn_of
from alerts.rules.reroute import propose
from alerts.rules.tiers import DollarBurnConfig
from alerts.state.subject import Subject
from alerts.state.transitions import AlertState
from collector.core.clock import NS_PER_DAY, NS_PER_MINUTE, NS_PER_S

# Longer windows end at whole minutes and are read once a minute: one second changes little in
# them, and there is much to read. A late decision is in them a minute later at the most.
_KEPT_S: Final = 1_800
AnyNs = TypeVar("AnyNs", int, NDArray[np.int64])

_NO_LOSSES: Final = Losses({})


@dataclass(frozen=True, slots=True)
class BurnFacts:
    """The losses of every class that decided anything in the longest window, at one moment."""

    moment: Moment
    by_class: Mapping[Subject, Losses]  # those that the rule does not cover too: to move to


@dataclass(frozen=True, slots=True)
class DollarBurn(Rule[DollarBurnConfig, BurnFacts]):
    """Fires when both windows of a tier burn the budget; docs of the arithmetic: `burn_rate`."""

    model: ClassVar = DollarBurnConfig
    explains_decisions: ClassVar[bool] = True

    config: DollarBurnConfig

    @property
    def window_s(self) -> int:
        """Return the long window of the fastest tier."""
        return self.config.tiers[0].long_window_s

    def read(
        self, reader: Reader, moment: Moment, states: Mapping[Subject, AlertState]
    ) -> BurnFacts:
        """Read what every class lost in all windows."""
        lengths = self.config.windows_s
        recent_s = [each for each in lengths if each <= _KEPT_S]
        kept_s = [each for each in lengths if each > _KEPT_S]
        recent = _losses(reader.rows, recent_s, moment.end_ns)
        kept = _losses(reader.kept_rows, kept_s, window_end_ns(_KEPT_S + 1, moment.end_ns))
        return BurnFacts(
            moment,
            {
                each: recent.get(each, _NO_LOSSES) + kept.get(each, _NO_LOSSES)
                for each in {*recent, *kept}
            },
        )

    def subjects(self, facts: BurnFacts) -> Mapping[Subject, int]:
        """Return what spends a budget: the classes, the actions or all, and what the rule names."""
        found = {self.config.spender(each) for each in facts.by_class if self.config.spends(each)}
        return self.config.classes(found, facts.moment.end_ns)

    def evaluate(self, facts: BurnFacts, state: AlertState) -> Evaluation:
        """Compare the loss of one subject with the budget."""
        return self._evaluate(facts, state, self._losses(facts, state.subject))

    def wording(self, subject: Subject) -> Wording:
        """Return the words for one subject."""
        shorts = {tier.long_window_s: tier.short_window_s for tier in self.config.tiers}
        return self.config.wording(f"decisions of {subject}", shorts)

    def focus(self, facts: BurnFacts, subject: Subject) -> Subject:
        """Return the class of a subject that lost most in its shortest window, for the evidence."""
        seconds = self.config.windows_s[0]
        return max(
            self._classes(facts, subject),
            key=lambda each: (facts.by_class[each].window(seconds).loss_usd, each),
            default=subject,
        )

    def explain(
        self, reader: Reader, facts: BurnFacts, state: AlertState, evaluation: Evaluation
    ) -> tuple[Evaluation, Move | None]:
        """Return when the budget is spent, and where decisions could go instead."""
        subject, end_ns = state.subject, facts.moment.end_ns
        losses = self._losses(facts, subject)
        spent_usd = _budget_spent(reader, self.config, subject, end_ns)
        focus = self.focus(facts, subject)
        route = _usual_route(reader, focus, end_ns - self.window_s * NS_PER_S, end_ns)
        evaluation = self._evaluate(facts, state, replace(losses, spent_usd=spent_usd))
        if focus != subject:
            reason = f"{evaluation.reason}; {focus} loses most of it"
            evaluation = replace(evaluation, reason=reason)
        return evaluation, propose(self.config, focus, facts.by_class, route)

    def _classes(self, facts: BurnFacts, subject: Subject) -> Iterable[Subject]:
        """Return the classes whose losses spend the budget of a subject."""
        config = self.config
        return (
            each
            for each in facts.by_class
            if config.spends(each) and config.spender(each) == subject
        )

    def _losses(self, facts: BurnFacts, subject: Subject) -> Losses:
        parts = (facts.by_class[each] for each in self._classes(facts, subject))
        return reduce(add, parts, _NO_LOSSES)

    def _evaluate(self, facts: BurnFacts, state: AlertState, losses: Losses) -> Evaluation:
        burn = burn_of(self.config, losses)
        newest_ns = max((window.newest_ns for window in losses.by_seconds.values()), default=0)
        seen = observe(burn.status, state, newest_ns, facts.moment)
        return Evaluation(seen, burn.reason, burn.cost, burn.tier.long_window_s)


def window_end_ns(seconds: int, end_ns: AnyNs) -> AnyNs:
    """Return where a window of this length ends in a pass whose windows end at an instant."""
    return end_ns if seconds <= _KEPT_S else end_ns - end_ns % NS_PER_MINUTE


def _losses(
    rows_of: Callable[..., list[Any]], lengths: list[int], end_ns: int
) -> dict[Subject, Losses]:
    """Return the losses of every class in windows of these lengths, ascending, in seconds."""
    if not lengths:
        return {}
    rings: dict[Subject, dict[int, Window]] = {}
    rows = rows_of(
        "loss_rings",
        __file__,
        end_ns=end_ns,
        from_ns=max(0, end_ns - lengths[-1] * NS_PER_S),
        starts_ns=[max(0, end_ns - each * NS_PER_S) for each in lengths],
    )
    for action, region, ring, *figures in rows:
        rings.setdefault(Subject(str(action), str(region)), {})[int(ring)] = Window(*figures)
    return {each: Losses(_added_up(lengths, found)) for each, found in rings.items()}


def _added_up(lengths: list[int], rings: Mapping[int, Window]) -> dict[int, Window]:
    """Return windows by length: each holds the rings of all that are shorter, and its own."""
    windows: dict[int, Window] = {}
    total: Window | None = None
    for at, seconds in enumerate(lengths):
        ring = rings.get(at)
        if ring is not None:
            total = ring if total is None else total + ring
        if total is not None:
            windows[seconds] = total
    return windows


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
