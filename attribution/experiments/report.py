"""Pure: what an experiment has done so far: its arms, and what it put at risk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pyarrow as pa

from attribution.core.money import currency, rounded
from attribution.path.columns import Table, ints
from attribution.revenue.sums import Floats
from attribution.sensitivity.registered import (
    NOT_AS_DRAWN,
    UNREGISTERED_ARM,
    UNREGISTERED_MIN,
    UNREGISTERED_SHARE_MAX,
    WRONG_SHARES,
    Experiment,
    SampleRatio,
    sample_ratio,
)
from attribution.sensitivity.registry import ClaimedDraws

# Delayed decisions of unknown value: more, and what is at risk is not known.
UNVALUED_SHARE_MAX = 0.02
# The value of a class is known once its first decisions are attributed.
UNVALUED_MIN = 200


@dataclass(frozen=True, slots=True)
class ArmReport:
    """One arm, as registered and as seen."""

    name: str
    share: float
    delay_ms: float
    decisions: int
    share_observed: float | None  # of the draws; None without one
    delay_ms_mean: float | None


@dataclass(frozen=True, slots=True)
class Measured:
    """What was counted from decisions in registered arms; others are in `sample_ratio` alone."""

    arms: tuple[ArmReport, ...]
    sample_ratio: SampleRatio
    decisions: int
    delayed: int
    unvalued: int  # delayed ones of unknown value: in no sum of money
    at_risk_usd: Decimal  # value that the delays lose at the high end of the slope
    at_risk_usd_per_minute: Decimal  # of the dearer one of the last two minutes

    def reason_to_stop(self, budget_usd: Decimal) -> str:
        """Return why it must not go on, "" where it may."""
        ratio = self.sample_ratio
        # So many in arms that there are not, and assignment itself is wrong.
        every = self.decisions + ratio.unregistered
        if ratio.unregistered > max(UNREGISTERED_MIN, UNREGISTERED_SHARE_MAX * every):
            return f"{ratio.unregistered} of {every} decisions {UNREGISTERED_ARM}"
        if ratio.is_foreign:
            return f"{ratio.undrawn} of the newest {ratio.newest} draws {NOT_AS_DRAWN}"
        if ratio.is_wrong:
            return f"{WRONG_SHARES}: chi-square {ratio.chi2:.1f}, p {ratio.p_value:.1e}"
        budget = f"{budget_usd} {currency()}"
        if self.at_risk_usd >= budget_usd:
            return f"the budget is spent: {self.at_risk_usd} of {budget} were at risk"
        # Until every service has heard of it, a stopped experiment goes on for some seconds.
        if self.at_risk_usd + self.at_risk_usd_per_minute >= budget_usd:
            return (
                f"another minute would overspend: {self.at_risk_usd} of {budget} were at "
                f"risk, and {self.at_risk_usd_per_minute} more each minute"
            )
        unvalued_max = max(UNVALUED_MIN, UNVALUED_SHARE_MAX * self.delayed)
        if self.unvalued > unvalued_max:
            return f"what is at risk is not known: {self.unvalued} decisions have no known value"
        return ""


def measured(
    experiment: Experiment,
    minutes: Table,
    values_usd: Mapping[tuple[str, str], float],
    draws: ClaimedDraws,
) -> Measured:
    """Return what the decisions of an experiment say.

    Args:
        experiment: of which.
        minutes: answer of `sql/experiment_minutes.sql`.
        values_usd: of a decision, by action and region, where it is known.
        draws: units of each minute.
    """
    names = [arm.name for arm in experiment.arms]
    is_own = np.array([arm in names for arm in minutes["arm"].to_pylist()], bool)
    unregistered = int(ints(minutes["decisions"])[~is_own].sum())
    minutes = minutes.filter(pa.array(is_own))
    place = np.array([names.index(arm) for arm in minutes["arm"].to_pylist()], np.int64)
    decisions, delayed = ints(minutes["decisions"]), ints(minutes["delayed"])
    each_minute, minute = np.unique(ints(minutes["minute_ns"]), return_inverse=True)
    delay_ms = _floats(minutes, "delay_ms")
    at_risk, unvalued = _at_risk(minutes, values_usd)
    by_minute = np.bincount(minute.reshape(-1), weights=at_risk, minlength=len(each_minute))
    counts = np.zeros(len(names), np.int64)
    np.add.at(counts, place, decisions)
    ratio = sample_ratio(experiment.arms, draws.by_arm, unregistered, (draws.newest, draws.undrawn))
    total = sum(ratio.observed)
    return Measured(
        arms=tuple(
            ArmReport(
                arm.name,
                arm.share,
                arm.delay_ms,
                int(counts[index]),
                ratio.observed[index] / total if total else None,
                float(delay_ms[place == index].sum() / counts[index]) if counts[index] else None,
            )
            for index, arm in enumerate(experiment.arms)
        ),
        sample_ratio=ratio,
        decisions=int(decisions.sum()),
        delayed=int(delayed.sum()),
        unvalued=unvalued,
        at_risk_usd=_usd(float(at_risk.sum())),
        at_risk_usd_per_minute=_usd(float(by_minute[-2:].max(initial=0.0))),
    )


def _at_risk(minutes: Table, values_usd: Mapping[tuple[str, str], float]) -> tuple[Floats, int]:
    """Return dollars of each row, and how many delayed decisions have no known value."""
    pairs = zip(minutes["action"].to_pylist(), minutes["region"].to_pylist(), strict=True)
    value = np.array([values_usd.get(pair, np.nan) for pair in pairs], np.float64)
    is_known = ~np.isnan(value)
    lost, stated_usd = _floats(minutes, "lost_share"), _floats(minutes, "stated_lost_usd")
    usd = np.where(is_known, np.maximum(np.nan_to_num(value), 0.0) * lost, stated_usd)
    missing = ints(minutes["delayed"]) - ints(minutes["stated"])
    return usd, int(missing[~is_known].sum())


def _floats(table: Table, name: str) -> Floats:
    return np.asarray(table[name].to_numpy(), np.float64)


def _usd(value: float) -> Decimal:
    return rounded(Decimal(value))
