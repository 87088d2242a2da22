"""I/O: registers experiments, says which run, and ends those that must not go on."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np

from attribution.core.config import AttributionConfig
from attribution.core.money import MICROS_PER_USD, currency
from attribution.core.selection import Selection
from attribution.experiments.loss import Loss, loss_of
from attribution.experiments.proposal import (
    OUTCOMES_CAME,
    OUTCOMES_COME,
    Proposal,
    Traffic,
    propose,
)
from attribution.experiments.report import Measured, measured
from attribution.experiments.rules import check
from attribution.path.columns import Table, ints, micros_in_halves
from attribution.read.reader import Reader
from attribution.revenue.window import whole
from attribution.sensitivity.cells import SlopeCells
from attribution.sensitivity.estimate import Demands, SlopeEstimate, estimate_slope
from attribution.sensitivity.job import best_cells, demands_of, read_book
from attribution.sensitivity.registered import RUNNING, SCHEDULED, Experiment, variance_ms2
from attribution.sensitivity.registry import read_draws, read_experiments, write_experiment
from attribution.sensitivity.sums import OUTCOME
from collector.audit.log import append_audit
from collector.core.config import AttributesConfig
from collector.core.errors import InputError, NotFoundError
from collector.core.log import get_logger
from collector.core.sql import sql
from collector.core.times import NS_PER_DAY, NS_PER_MINUTE, NS_PER_S
from collector.store.connect import Connections

GUARD = "experiment guard"
# A service that hears nothing for so long delays nothing any more.
HOLDS_S = 5.0
_MINUTES = sql("experiment_minutes", __file__)
# Services ask every second, each of their processes.
_CACHED_NS = NS_PER_S
_LOSS_EVERY_NS = 10 * NS_PER_MINUTE

_log = get_logger("attribution")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to expect of an experiment, by the decisions of the day before; None is unknown."""

    decisions_per_day: int  # that match its targets
    decisions_needed: int | None  # to see the effect that the prior names, with a power of 80 %
    days_needed: float | None
    at_risk_usd: Decimal | None  # over its whole time, at the high end of the slope
    basis: str


@dataclass(frozen=True, slots=True)
class Report:
    """One experiment: as registered, as measured, and what it found."""

    experiment: Experiment
    state: str
    measured: Measured
    at_risk_basis: str
    outcomes_until_ns: int  # decisions after it count once their outcomes are known
    loss: Loss | None  # None where the arms cannot tell yet
    estimate: SlopeEstimate  # of its decisions alone


class ExperimentJob:
    """The one writer of `experiments`."""

    def __init__(self, config: AttributionConfig, store: Connections) -> None:
        self._config = config
        self._store = store
        self._reader = Reader(store, AttributesConfig())
        self._writing = threading.Lock()
        self._cached: tuple[int, list[Experiment]] | None = None
        self._loss_ns: dict[str, int] = {}  # when the loss of each was measured last

    def register(self, fresh: Experiment, now_ns: int) -> Plan:
        """Register one, which begins by itself; return what to expect of it.

        Raises:
            InputError: it may not begin; what is wrong, and the remedy.
        """
        with self._writing:
            plan = self.expect(fresh, now_ns)
            self._store_revision(replace(fresh, registered_ns=now_ns), 1)
            details = {"name": fresh.name, "owner": fresh.owner,
                    "budget_usd": str(fresh.budget_usd),
                    "arms": [asdict(arm) for arm in fresh.arms], "targets": dict(fresh.targets),
                    "from_ns": fresh.from_ns, "to_ns": fresh.to_ns}  # fmt: skip
            self._audit("experiment_registered", fresh.registered_by, details, now_ns)
        return plan

    def stop(self, name: str, actor: str, reason: str, now_ns: int) -> Experiment:
        """End one now, for good. Raises InputError where there is none, or it has ended."""
        with self._writing:
            experiment = self.one(name)
            state = experiment.state(now_ns)
            if state not in (RUNNING, SCHEDULED):
                raise InputError(f"experiment {name} is {state} already; there is nothing to stop")
            stopped = replace(experiment, stopped_ns=now_ns, stopped_by=actor, stop_reason=reason)
            self._store_revision(stopped, 2)
            details = {"name": name, "reason": reason}
            self._audit("experiment_stopped", actor, details, now_ns)
        return stopped

    def all(self) -> list[Experiment]:
        """Return every experiment, in order of registration."""
        return read_experiments(self._store)

    def one(self, name: str) -> Experiment:
        """Return one by its name. Raises InputError where there is none."""
        every = self.all()
        for each in every:
            if each.name == name:
                return each
        names = ", ".join(each.name for each in every) or "none yet"
        raise NotFoundError(f"there is no experiment {name[:80]!r}; registered: {names}")

    def active(self, now_ns: int) -> list[Experiment]:
        """Return those that run now, as services ask for them."""
        if not self._config.experiments.enabled:
            return []
        cached = self._cached
        if cached is None or not 0 <= now_ns - cached[0] < _CACHED_NS:
            cached = self._cached = (now_ns, self.all())
        return [each for each in cached[1] if each.state(now_ns) == RUNNING]

    def run_once(self, now_ns: int) -> int:
        """Stop what must not go on; return how many were stopped."""
        stopped = 0
        for each in self.all():
            if each.state(now_ns) != RUNNING:
                continue
            reason = self._measured(each, now_ns).reason_to_stop(each.budget_usd)
            # A clock that was set back puts nothing off.
            since_ns = abs(now_ns - self._loss_ns.get(each.name, 0))
            if not reason and since_ns >= _LOSS_EVERY_NS:
                self._loss_ns[each.name] = now_ns
                loss = self._found(each, now_ns)[1]
                proven = None if loss is None else loss.proven_usd
                if loss is not None and proven is not None and proven >= each.budget_usd:
                    reason = (
                        f"the arms prove a loss of {loss.usd} {currency()}, at least "
                        f"{proven}, with a budget of {each.budget_usd}"
                    )
            if reason:
                self.stop(each.name, GUARD, reason, now_ns)
                _log.warning("experiment_stopped", experiment=each.name, reason=reason)
                stopped += 1
        return stopped

    def report(self, name: str, now_ns: int) -> Report:
        """Return one as it stands."""
        experiment = self.one(name)
        estimate, loss, until_ns = self._found(experiment, now_ns)
        book = read_book(self._store, self._config)
        return Report(
            experiment=experiment,
            state=experiment.state(now_ns),
            measured=self._measured(experiment, now_ns),
            at_risk_basis=(
                f"95 % quantile of the slope; {book.basis(now_ns, self._config.slope.basis)}"
            ),
            outcomes_until_ns=until_ns,
            loss=loss,
            estimate=estimate,
        )

    def expect(self, fresh: Experiment, now_ns: int) -> Plan:
        """Return what the decisions of the last day let expect of one that is not registered.

        Raises:
            InputError: it may not begin; what is wrong, and the remedy.
        """
        check(fresh, self.all(), self._config.experiments, now_ns)
        traffic = self._last_day(fresh.targets, now_ns)
        days = (fresh.to_ns - fresh.from_ns) / NS_PER_DAY
        needed = traffic.needed(variance_ms2(fresh.arms), demands_of(self._config))
        return Plan(
            decisions_per_day=round(traffic.per_day),
            decisions_needed=needed,
            days_needed=needed / traffic.per_day if needed is not None and traffic.n else None,
            at_risk_usd=self._planned_risk(fresh, traffic, days, now_ns),
            basis=f"{traffic.basis}; channel and offer type of the targets are not taken into "
            "account",
        )

    def propose(self, now_ns: int) -> Proposal:
        """Return the experiment that would identify the slope, by the decisions of the last day."""
        book = read_book(self._store, self._config)
        # Neither the prior nor the experiment that contradicts it says what to expect.
        expected = None if book.refusal(now_ns) else float(book.slope(now_ns).median)
        return propose(
            self._last_day({}, now_ns),
            self._config.experiments,
            demands_of(self._config),
            days_max=self._config.slope_window_days,
            per_ns=(expected, book.cautious(now_ns)),
        )

    def _last_day(self, targets: Mapping[str, Sequence[str]], now_ns: int) -> Traffic:
        """Return what the decisions of 24 h earned, of those that match the targets.

        Of the last ones whose outcomes have come; of the very last where there are no others.
        """
        to_ns, when = now_ns - self._config.outcome_delay_s * NS_PER_S, OUTCOMES_CAME
        outcome, day_cells, to_ns = self._day(to_ns)
        if not len(day_cells.cells):
            when = OUTCOMES_COME
            outcome, day_cells, to_ns = self._day(now_ns)
        keep = [
            row
            for row in range(len(day_cells.cells))
            if all(
                getattr(day_cells, name)[row] in targets[name]
                for name in ("action", "region", "cohort")
                if targets.get(name)
            )
        ]
        cells = day_cells.cells.take(np.array(keep, np.int64)).cells()
        n = int(cells.n.sum())
        # Of a service that is younger than a day, a day is what it has seen of one.
        first_ns = int(cells.minute.min()) if len(cells) else to_ns
        per_day = n / (max(to_ns - first_ns, NS_PER_MINUTE) / NS_PER_DAY)
        mean = float(cells.sums[:, OUTCOME].sum() / n) if n else 0.0
        within = float(cells.within()[:, OUTCOME, OUTCOME].sum())
        # The first of each cell says what the others are compared with.
        free = n - int(np.count_nonzero(cells.n))
        return Traffic(n, free, per_day, outcome, mean, within / max(free, 1), when, cells.whole)

    def _day(self, until_ns: int) -> tuple[str, SlopeCells, int]:
        to_ns = max(until_ns, 0) // NS_PER_MINUTE * NS_PER_MINUTE
        from_ns = max(to_ns - NS_PER_DAY, 0)
        return *best_cells(self._store, self._config, from_ns, to_ns), to_ns

    def _planned_risk(
        self, fresh: Experiment, traffic: Traffic, days: float, now_ns: int
    ) -> Decimal | None:
        high = read_book(self._store, self._config).cautious(now_ns)
        return traffic.cost_usd(fresh.arms, traffic.per_day * days, high)

    def _measured(self, experiment: Experiment, now_ns: int) -> Measured:
        book = read_book(self._store, self._config)
        to_ns = min(experiment.ended_ns + NS_PER_MINUTE, now_ns)
        minutes: Table = self._store.client().query_arrow(
            _MINUTES,
            parameters={
                "name": experiment.name,
                "from_ns": experiment.from_ns,
                "to_ns": max(to_ns, experiment.from_ns),
                "beta": book.cautious(now_ns),
            },
        )
        draws = read_draws(self._store, experiment, (experiment.from_ns, to_ns))
        return measured(experiment, minutes, self._values(experiment.from_ns, to_ns), draws)

    def _values(self, from_ns: int, to_ns: int) -> Mapping[tuple[str, str], float]:
        """Return the value of a decision by action and region, since a day before it began."""
        table = self._reader.selected_values(Selection(max(from_ns - NS_PER_DAY, 0), to_ns))
        amount = whole(micros_in_halves(table["value_usd"]))
        pairs = zip(table["action"].to_pylist(), table["region"].to_pylist(), strict=True)
        valued = ints(table["valued"]).tolist()
        return {
            pair: usd / count / MICROS_PER_USD
            for pair, usd, count in zip(pairs, amount.tolist(), valued, strict=True)
            if count
        }

    def _found(self, experiment: Experiment, now_ns: int) -> tuple[SlopeEstimate, Loss | None, int]:
        """Return the slope on its own decisions, what its delays cost those, and until when."""
        delay_ns = self._config.outcome_delay_s * NS_PER_S
        from_ns = experiment.from_ns // NS_PER_MINUTE * NS_PER_MINUTE
        until_ns = min(experiment.ended_ns + NS_PER_MINUTE, now_ns - delay_ns)
        to_ns = max(until_ns // NS_PER_MINUTE * NS_PER_MINUTE, from_ns)
        outcome, cells = best_cells(
            self._store, self._config, from_ns, to_ns, experiment=experiment.name
        )
        demands: Demands = demands_of(self._config)
        basis = f"{outcome} of the decisions of experiment {experiment.name}"
        estimate = estimate_slope(cells.cells, basis, demands)
        for reason in cells.following.values():
            estimate = replace(estimate, reason=f"{estimate.reason}; {reason}")
        loss = loss_of(estimate, cells.cells, outcome, demands.minutes_min)
        return estimate, loss, to_ns

    def _store_revision(self, experiment: Experiment, revision: int) -> None:
        write_experiment(self._store, experiment, revision)
        self._cached = None

    def _audit(self, action: str, actor: str, details: Mapping[str, Any], now_ns: int) -> None:
        append_audit(
            self._store.client(),
            at_ns=now_ns,
            actor=actor,
            action=action,
            detail=json.dumps(details, sort_keys=True),
            seal=self._store.audit_seal,
        )
