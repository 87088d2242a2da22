"""Pure: registered experiments, which delays they drew, and whether their shares hold.

Which decision is in which arm is a hash, so counts by arm are multinomial with the registered
shares; where they are not, something between the draw and the store depends on the arm, and no
estimate can be believed. The test is looked at every few seconds, for weeks: its evidence is a
martingale, so that looking often raises no false alarm (Lindon & Malek 2022).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from attribution.core.slo import Z90
from attribution.path.spans import Ints
from collector.core.assignment import arm_ends
from collector.core.clock import NS_PER_MS

CONTROL = "control"
SCHEDULED, RUNNING, ENDED, STOPPED = "scheduled", "running", "ended", "stopped"
# Evidence at which shares are called wrong: one such experiment in a thousand is a sound one.
EVIDENCE_MAX = 1000.0
# How the reason begins for which the guard stopped an experiment whose shares are wrong.
WRONG_SHARES = "sample ratio mismatch"
UNREGISTERED_ARM = "came in an arm that is not registered"
# More of an experiment's decisions, and what assigns them does not have its arms. Fewer are
# somebody else's, such as of a stage with an arm of before: a stranger ends no experiment.
UNREGISTERED_SHARE_MAX = 0.1
UNREGISTERED_MIN = 200
# Fewer say too little of how alike the decisions of a minute are, and of the shares nothing.
RATIO_MINUTES_MIN = 10
# Of the prior over shares: its weight in decisions. Sensitive to a tenth of an arm of 5 %.
_PRIOR_DECISIONS = 100.0


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm; the control has no delay."""

    name: str
    share: float
    delay_ms: float


@dataclass(frozen=True, slots=True)
class Experiment:
    """One experiment as it is registered, and how it was ended before its time."""

    name: str
    owner: str
    purpose: str
    arms: tuple[Arm, ...]  # the control is the last, and the shares sum to 1
    targets: Mapping[str, tuple[str, ...]]  # by TARGETS; what is left out is everybody
    from_ns: int
    to_ns: int
    budget_usd: Decimal  # that may be at risk, in all
    registered_ns: int = 0
    registered_by: str = ""
    stopped_ns: int = 0  # 0 where it was not
    stopped_by: str = ""
    stop_reason: str = ""

    def state(self, now_ns: int) -> str:
        """Return scheduled, running, ended or stopped."""
        if self.stopped_ns:
            return STOPPED
        if now_ns >= self.to_ns:
            return ENDED
        return RUNNING if now_ns >= self.from_ns else SCHEDULED

    @property
    def ended_ns(self) -> int:
        """Return when it ends or ended."""
        return min(self.stopped_ns or self.to_ns, self.to_ns)

    @property
    def is_disproved(self) -> bool:
        """Return whether it was ended because decisions did not fall into its arms as drawn.

        Those in arms that there are not disprove nothing: they are in no figure, and what was drawn
        before is what it was.
        """
        return WRONG_SHARES in self.stop_reason


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """Whether decisions fell into the arms as they were registered."""

    arms: tuple[str, ...]
    expected: tuple[float, ...]  # shares
    observed: tuple[int, ...]  # decisions
    dispersion: float  # at most, by which counts of a minute vary more than chance
    chi2: float | None  # after dispersion; None without a decision
    p_value: float | None  # of one look
    evidence: float  # against the shares; EVIDENCE_MAX stops the experiment
    unregistered: int  # decisions in an arm that there is not: counted here alone

    @property
    def is_wrong(self) -> bool:
        """Return whether the shares cannot be believed."""
        return self.evidence >= EVIDENCE_MAX

    @property
    def is_assigned_elsewhere(self) -> bool:
        """Return whether so many are in arms that there are not that assignment itself is wrong."""
        every = sum(self.observed) + self.unregistered
        return self.unregistered > max(UNREGISTERED_MIN, UNREGISTERED_SHARE_MAX * every)


@dataclass(frozen=True, slots=True)
class DrawnArms:
    """What a delay has to agree with to count as drawn at random, an entry an arm."""

    experiment: tuple[str, ...]
    arm: tuple[str, ...]
    delay_ns: tuple[int, ...]
    first: tuple[int, ...]  # of the draws that are in the arm
    end: tuple[int, ...]  # behind the last of them
    from_ns: tuple[int, ...]  # when the experiment began; never before it was registered
    to_ns: tuple[int, ...]


def drawn_arms(experiments: Sequence[Experiment]) -> DrawnArms:
    """Return the arms of the experiments that were not disproved.

    What began before it was registered began when it was registered: a decision is never put into
    an experiment after the fact.
    """
    rows = []
    for each in experiments:
        if each.is_disproved:
            continue
        ends = arm_ends([arm.share for arm in each.arms])
        began_ns = max(each.from_ns, each.registered_ns)
        rows += [
            (each.name, arm.name, round(arm.delay_ms * NS_PER_MS), first, end, began_ns,
             each.ended_ns)
            for arm, first, end in zip(each.arms, [0, *ends[:-1]], ends, strict=True)
        ]  # fmt: skip
    columns = list(zip(*rows, strict=True)) if rows else [()] * 7
    return DrawnArms(*columns)


def with_control(delayed: Sequence[Arm]) -> tuple[Arm, ...]:
    """Return the arms and the control, which takes the rest."""
    rest = 1 - sum(arm.share for arm in delayed)
    return (*delayed, Arm(CONTROL, rest, 0.0)) if rest > 0 else tuple(delayed)


def variance_ms2(arms: Sequence[Arm]) -> float:
    """Return the variance of the injected delay over decisions."""
    mean = sum(arm.share * arm.delay_ms for arm in arms)
    return sum(arm.share * arm.delay_ms**2 for arm in arms) - mean**2


def sample_ratio(arms: Sequence[Arm], counts: Ints, unregistered: int = 0) -> SampleRatio:
    """Hold the decisions of each minute and arm against the registered shares.

    Args:
        arms: of the experiment.
        counts: minutes x arms.
        unregistered: decisions in an arm that there is not.

    A unit keeps its arm for a minute, so counts of a minute vary more than those of independent
    decisions. How much more is measured, about the shares that were observed, and every count is
    divided by it (Rao & Scott 1981): by the upper end of its own interval, since a few minutes
    know it badly, and one that is too small stops a sound experiment.
    """
    shares = np.array([arm.share for arm in arms])
    observed = counts.sum(axis=0)
    total = int(observed.sum())
    dispersion, chi2, p_value, evidence = 1.0, None, None, 0.0
    if total:
        dispersion = _dispersion(counts, observed / total)
        expected = shares * total
        chi2 = float(((observed - expected) ** 2 / expected).sum() / dispersion)
        p_value = chi2_above(chi2, len(arms) - 1)
        if int((counts.sum(axis=1) > 0).sum()) >= RATIO_MINUTES_MIN:
            evidence = _evidence(observed / dispersion, shares)
    return SampleRatio(
        arms=tuple(arm.name for arm in arms),
        expected=tuple(arm.share for arm in arms),
        observed=tuple(observed.tolist()),
        dispersion=dispersion,
        chi2=chi2,
        p_value=p_value,
        evidence=evidence,
        unregistered=unregistered,
    )


def chi2_above(value: float, freedom: int) -> float:
    """Return the chance that a chi-square of so many degrees exceeds a value."""
    half = value / 2
    if half <= 0:
        return 1.0
    odd = freedom % 2
    above = math.erfc(math.sqrt(half)) if odd else math.exp(-half)
    degree = 0.5 if odd else 1.0
    while degree < freedom / 2:
        above += math.exp(degree * math.log(half) - half - math.lgamma(degree + 1))
        degree += 1
    return min(above, 1.0)


def _dispersion(counts: Ints, shares: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    """Return how much more than chance the counts of a minute vary; never below 1."""
    own = counts.sum(axis=1)
    counts, own = counts[own > 0], own[own > 0]
    drawn = shares > 0
    minutes, arms = len(own), int(drawn.sum())
    if minutes < 2 or arms < 2:
        return 1.0
    expected = own[:, None] * shares[drawn]
    pearson = float(((counts[:, drawn] - expected) ** 2 / expected).sum())
    freedom = (minutes - 1) * (arms - 1)
    return max(pearson / _least_chi2(freedom), 1.0)


def _least_chi2(freedom: int) -> float:
    """Return the 5 % quantile of chi-square (Wilson & Hilferty 1931, which needs some degrees)."""
    of_few = {1: 0.0039321, 2: 0.1025866, 3: 0.3518463}
    near = freedom * (1 - 2 / (9 * freedom) - Z90 * math.sqrt(2 / (9 * freedom))) ** 3
    return of_few.get(freedom, near)


def _evidence(
    counts: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    shares: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> float:
    """Return how much likelier the counts are under unknown shares than under these."""
    prior = _PRIOR_DECISIONS * shares
    log = math.lgamma(prior.sum()) - math.lgamma(prior.sum() + counts.sum())
    for own, count, share in zip(prior, counts, shares, strict=True):
        log += math.lgamma(own + count) - math.lgamma(own) - count * math.log(share)
    return math.exp(min(log, 700.0))
