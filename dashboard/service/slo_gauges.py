"""I/O: measures every latency budget again and again, and exports how it stands."""

from __future__ import annotations

import math

from attribution.core.slo import Verdict
from attribution.whatif.analyst import Analyst
from attribution.whatif.answers import BudgetStanding
from collector.core.counters import Counters

_MISSED = {Verdict.MISSED: 1.0, Verdict.MET: 0.0}


class BudgetGauges:
    """How every budget stood at the last run."""

    def __init__(self, analyst: Analyst, counters: Counters) -> None:
        self._analyst = analyst
        self._counters = counters
        self.standings: list[BudgetStanding] = []

    def run_once(self, now_ns: int) -> None:
        """Measure every budget over the window that ends now."""
        self.standings = self._analyst.budgets(now_ns)
        for each in self.standings:
            self._counters.budget_missed.labels(each.name).set(_MISSED.get(each.verdict, math.nan))
            for promise in each.promises:
                measured_s = math.nan if promise.measured_ms is None else promise.measured_ms / 1000
                self._counters.budget_quantile_seconds.labels(
                    each.name, f"{promise.quantile:g}"
                ).set(measured_s)
