"""Pure: registered delays: what an experiment is, whether it may begin, and what must end it.

A service asks for those that run and delays by them (`collector.instrument.delay`). Which decision
is in which arm is a hash, so counts by arm are multinomial with the registered shares; where they
are not, something between the draw and the store depends on the arm, and no estimate can be
believed. The test is looked at every few seconds, for weeks: its evidence is a martingale, so that
looking often raises no false alarm (Lindon & Malek 2022).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from attribution.core.config import ExperimentLimits
from attribution.path.spans import Ints
from collector.core.clock import NS_PER_DAY, NS_PER_MS
from collector.core.errors import InputError

CONTROL = "control"
TARGETS = ("action", "region", "cohort", "channel", "offer_type")
SCHEDULED, RUNNING, ENDED, STOPPED = "scheduled", "running", "ended", "stopped"
# Evidence at which shares are called wrong: one such experiment in a thousand is a sound one.
EVIDENCE_MAX = 1000.0
# Fewer say too little of how alike the decisions of a minute are, and of the shares nothing.
RATIO_MINUTES_MIN = 10
# Of the prior over shares: its weight in decisions. Sensitive to a tenth of an arm of 5 %.
_PRIOR_DECISIONS = 100.0
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


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
    unregistered: int  # decisions in an arm that there is not

    @property
    def is_wrong(self) -> bool:
        """Return whether the shares cannot be believed."""
        return self.evidence >= EVIDENCE_MAX or self.unregistered > 0


def check(
    fresh: Experiment, others: Sequence[Experiment], limits: ExperimentLimits, now_ns: int
) -> None:
    """Raise InputError, with the value and the remedy, where an experiment may not begin.

    Args:
        fresh: that is to be registered.
        others: every one that was.
        limits: of this service.
        now_ns: the instant.
    """
    _check_words(fresh)
    _check_arms(fresh.arms, limits)
    days = (fresh.to_ns - fresh.from_ns) / NS_PER_DAY
    if fresh.to_ns <= max(now_ns, fresh.from_ns):
        raise InputError("the experiment ends before it begins; give an end that lies ahead")
    if days > limits.days_max:
        raise InputError(
            f"{days:.1f} days are over attribution.experiments.days_max = {limits.days_max:g}"
        )
    if fresh.budget_usd <= 0:
        raise InputError(f"budget {fresh.budget_usd} USD: give what may be at risk, above 0")
    for each in others:
        if each.name == fresh.name:
            raise InputError(f"experiment {fresh.name} was registered before; a name is used once")
        is_beside = each.from_ns < fresh.to_ns and fresh.from_ns < each.ended_ns
        if is_beside and each.state(now_ns) in (SCHEDULED, RUNNING) and _overlap(each, fresh):
            raise InputError(
                f"experiment {each.name} takes some of the same decisions at the same time; stop "
                "it, or choose other targets or dates"
            )


def _check_words(fresh: Experiment) -> None:
    if not _NAME.fullmatch(fresh.name):
        raise InputError(
            f"name {fresh.name[:80]!r}: up to 64 lower-case letters, digits and . _ - name one"
        )
    if not fresh.owner.strip():
        raise InputError("owner: say who answers for the experiment")
    unknown = set(fresh.targets) - set(TARGETS)
    if unknown:
        raise InputError(f"target {sorted(unknown)[0]!r}: choose {', '.join(TARGETS)}")


def _check_arms(arms: Sequence[Arm], limits: ExperimentLimits) -> None:
    names = [arm.name for arm in arms]
    delayed = [arm for arm in arms if arm.delay_ms > 0]
    if not delayed or len(set(names)) != len(names) or not all(map(_NAME.fullmatch, names)):
        raise InputError(
            "arms: give one or more, each with a name of its own such as slow, a share, a delay"
        )
    for arm in arms:
        # What services are told is whole nanoseconds.
        is_nothing = arm.delay_ms > 0 and round(arm.delay_ms * NS_PER_MS) == 0
        if not 0 < arm.share < 1 or arm.delay_ms < 0 or is_nothing:
            raise InputError(
                f"arm {arm.name}: share {arm.share:g} of decisions, {arm.delay_ms:g} ms; give a "
                "share between 0 and 1 and a delay of a nanosecond or more"
            )
        if arm.delay_ms > limits.delay_ms_max:
            raise InputError(
                f"arm {arm.name}: {arm.delay_ms:g} ms are over "
                f"attribution.experiments.delay_ms_max = {limits.delay_ms_max:g}"
            )
    share = sum(arm.share for arm in delayed)
    if share > limits.share_max:
        raise InputError(
            f"{share:.1%} of the decisions would be delayed; attribution.experiments.share_max = "
            f"{limits.share_max:g}"
        )
    assert abs(sum(arm.share for arm in arms) - 1) < 1e-9, "the control takes the rest"


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
    # The 5 % quantile of chi-square (Wilson & Hilferty 1931).
    least = freedom * (1 - 2 / (9 * freedom) - 1.645 * math.sqrt(2 / (9 * freedom))) ** 3
    return max(pearson / least, 1.0)


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


def _overlap(one: Experiment, other: Experiment) -> bool:
    """Return whether a decision may be in both."""
    for name in TARGETS:
        mine, its = set(one.targets.get(name, ())), set(other.targets.get(name, ()))
        if mine and its and not mine & its:
            return False
    return True
