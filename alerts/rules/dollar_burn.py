"""Pure: the rule kind `dollar_burn`: lateness spends a budget of dollars too fast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import ClassVar

from alerts.rules.base import Evaluation, Moment, Move, Reader, Rule, Wording, observe
from alerts.rules.burn_rate import EMPTY_WINDOW, DollarBurnConfig, Window, Windows, burn_of
from alerts.rules.reroute import propose
from alerts.state.subject import Subject
from alerts.state.transitions import AlertState
from collector.core.clock import NS_PER_DAY, NS_PER_S


@dataclass(frozen=True, slots=True)
class BurnFacts:
    """The windows of every class that decided anything in the long one, at one moment."""

    moment: Moment
    by_class: Mapping[Subject, Windows]  # those that the rule does not cover too: to move to


@dataclass(frozen=True, slots=True)
class DollarBurn(Rule[DollarBurnConfig, BurnFacts]):
    """Fires when both windows burn the budget; docs of the arithmetic: `burn_rate`."""

    model: ClassVar = DollarBurnConfig
    explains_decisions: ClassVar[bool] = True

    config: DollarBurnConfig

    @property
    def window_s(self) -> int:
        """Return the long window."""
        return self.config.long_window_s

    def read(
        self, reader: Reader, moment: Moment, states: Mapping[Subject, AlertState]
    ) -> BurnFacts:
        """Read what every class lost in the two windows."""
        long = _losses(reader, self.config.long_window_s, moment.end_ns)
        short = _losses(reader, self.config.short_window_s, moment.end_ns)
        return BurnFacts(
            moment,
            {each: Windows(window, short.get(each, EMPTY_WINDOW)) for each, window in long.items()},
        )

    def subjects(self, facts: BurnFacts) -> Mapping[Subject, int]:
        """Return the classes that decided anything, and the one that the rule names."""
        return self.config.classes(facts.by_class, facts.moment.end_ns)

    def evaluate(self, facts: BurnFacts, state: AlertState) -> Evaluation:
        """Compare the loss of one class with the budget."""
        return self._evaluate(facts, state, self._windows(facts, state))

    def wording(self, subject: Subject) -> Wording:
        """Return the words for one class."""
        return self.config.wording(f"decisions of {subject}", short_s=self.config.short_window_s)

    def explain(
        self, reader: Reader, facts: BurnFacts, state: AlertState, evaluation: Evaluation
    ) -> tuple[Evaluation, Move | None]:
        """Return when the budget is spent, and where decisions could go instead."""
        subject, end_ns = state.subject, facts.moment.end_ns
        windows = self._windows(facts, state)
        spent_usd = _budget_spent(reader, self.config, subject, end_ns)
        route = _usual_route(reader, subject, end_ns - self.window_s * NS_PER_S, end_ns)
        return (
            self._evaluate(facts, state, replace(windows, spent_usd=spent_usd)),
            propose(self.config, subject, facts.by_class, route),
        )

    def _windows(self, facts: BurnFacts, state: AlertState) -> Windows:
        return facts.by_class.get(state.subject) or Windows(EMPTY_WINDOW, EMPTY_WINDOW)

    def _evaluate(self, facts: BurnFacts, state: AlertState, windows: Windows) -> Evaluation:
        burn = burn_of(self.config, windows)
        seen = observe(burn.status, state, windows.long.newest_ns, facts.moment)
        return Evaluation(seen, burn.reason, burn.cost)


def _losses(reader: Reader, seconds: int, end_ns: int) -> dict[Subject, Window]:
    rows = reader.rows("loss_windows", __file__, from_ns=end_ns - seconds * NS_PER_S, end_ns=end_ns)
    return {
        Subject(str(action), str(region)): Window(*figures) for action, region, *figures in rows
    }


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
