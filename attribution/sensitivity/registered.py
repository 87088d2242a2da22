"""Pure: registered experiments, which delays they drew, and whether their shares hold.

Which arm a unit is in is drawn by a hash, anew each minute, so counts of draws by arm are
multinomial with the registered shares, however many decisions each is of; where they are not,
something between the draw and the store depends on the arm, and no estimate can be believed. The
test is looked at every few seconds, for weeks: its evidence is a martingale, so that looking often
raises no false alarm (Lindon & Malek 2022).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from collector.core.assignment import arm_ends
from collector.core.times import NS_PER_MS

CONTROL = "control"
SCHEDULED, RUNNING, ENDED, STOPPED = "scheduled", "running", "ended", "stopped"
# Evidence at which shares are called wrong: one such experiment in a thousand is a sound one.
EVIDENCE_MAX = 1000.0
# How the reason begins for which the guard stopped an experiment whose shares are wrong.
WRONG_SHARES = "sample ratio mismatch"
UNREGISTERED_ARM = "came in an arm that is not registered"
# And for which it stopped one that somebody else assigns.
NOT_AS_DRAWN = "are not in the arm, or not of the delay, that Millworth drew"
# More of an experiment's decisions, and what assigns them does not have its arms. Fewer are
# somebody else's, such as of a stage with an arm of before: a stranger ends no experiment.
UNREGISTERED_SHARE_MAX = 0.1
UNREGISTERED_MIN = 200
# So many draws that were not made, and none is believed: of two arms another hash agrees with half
# of ours, which are then used. By chance none is made that is not.
UNDRAWN_SHARE_MAX = 0.02
# A dimension follows the delay from this chance on: by chance one look in ten thousand says so.
_FOLLOWS_P = 1e-4
# Draws that are expected of a class in each arm; fewer, and chi-square is not what it says.
_EXPECTED_MIN = 5.0
# Of the prior over shares: its weight in draws. Sensitive to a tenth of an arm of 5 %.
_PRIOR_DRAWS = 100.0


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
        return any(reason in self.stop_reason for reason in (WRONG_SHARES, NOT_AS_DRAWN))


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """Whether units fell into the arms as they were registered, each counted once a minute."""

    arms: tuple[str, ...]
    expected: tuple[float, ...]  # shares
    observed: tuple[int, ...]  # draws
    chi2: float | None  # None without a draw
    p_value: float | None  # of one look
    evidence: float  # against the shares; EVIDENCE_MAX stops the experiment
    unregistered: int  # decisions in an arm that there is not: counted here alone
    newest: int  # draws that were looked at one by one
    undrawn: int  # of these, those of another arm or delay than Millworth drew: in no figure

    @property
    def is_wrong(self) -> bool:
        """Return whether the arms cannot be believed."""
        return self.evidence >= EVIDENCE_MAX or self.is_foreign

    @property
    def is_foreign(self) -> bool:
        """Return whether something else than Millworth assigns the arms."""
        return is_foreign(self.undrawn, self.newest)


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
    control_share = 1 - sum(arm.share for arm in delayed)
    return (*delayed, Arm(CONTROL, control_share, 0.0)) if control_share > 0 else tuple(delayed)


def variance_ms2(arms: Sequence[Arm]) -> float:
    """Return the variance of the injected delay over decisions."""
    mean = sum(arm.share * arm.delay_ms for arm in arms)
    return sum(arm.share * arm.delay_ms**2 for arm in arms) - mean**2


def is_foreign(undrawn: int, draws: int) -> bool:
    """Return whether so many of the draws are not what Millworth drew that none of them is."""
    return undrawn > max(UNREGISTERED_MIN, UNDRAWN_SHARE_MAX * draws)


def sample_ratio(
    arms: Sequence[Arm],
    draws: Mapping[str, int],
    unregistered: int = 0,
    newest: tuple[int, int] = (0, 0),
) -> SampleRatio:
    """Hold the draws of each arm against the registered shares.

    Args:
        arms: of the experiment.
        draws: by arm, units of each minute: independent of each other, as decisions are not.
        unregistered: decisions in an arm that there is not.
        newest: draws of the last hour, and of them those that Millworth did not make.
    """
    shares, observed = [arm.share for arm in arms], [draws.get(arm.name, 0) for arm in arms]
    total = sum(observed)
    chi2, p_value, evidence = None, None, 0.0
    if total:
        pairs = zip(observed, shares, strict=True)
        chi2 = sum((count - share * total) ** 2 / (share * total) for count, share in pairs)
        p_value = chi2_above(chi2, len(arms) - 1)
        evidence = _evidence(observed, shares)
    return SampleRatio(
        arms=tuple(arm.name for arm in arms),
        expected=tuple(shares),
        observed=tuple(observed),
        chi2=chi2,
        p_value=p_value,
        evidence=evidence,
        unregistered=unregistered,
        newest=newest[0],
        undrawn=newest[1],
    )


class ClassDraws(NamedTuple):
    """Draws of an arm that have a decision of one class: of a region, a cohort, an action."""

    experiment: str
    arm: str
    dimension: str
    name: str
    draws: int


def following(rows: Sequence[ClassDraws]) -> dict[str, str]:
    """Return in words how dimensions follow the delay; of those that do alone.

    Who is drawn into which arm says nothing of a class that was there before. A cohort of slow
    networks, or a fallback that is taken after 100 ms, is chosen by how long a decision took: arms
    that are compared inside of it are compared between those that the delay chose for it. A draw
    may have decisions of several classes, so that each class is held against all draws.

    Args:
        rows: draws that have a class, by arm; with those of the dimension "", which are all.
    """
    every: dict[str, Counter[str]] = {}
    tables: dict[tuple[str, str], dict[str, Counter[str]]] = {}
    for row in rows:
        if row.dimension:
            counts = tables.setdefault((row.dimension, row.experiment), {})
            counts.setdefault(row.name, Counter())[row.arm] += row.draws
        else:
            every.setdefault(row.experiment, Counter())[row.arm] += row.draws
    reasons = {}
    for (dimension, experiment), table in sorted(tables.items()):
        if reason := _follows(table, every[experiment]):
            reasons[dimension] = f"{dimension} follows the delay in {experiment}: {reason}"
    return reasons


def _follows(table: Mapping[str, Counter[str]], arms: Counter[str]) -> str:
    """Return in words which class is in which arm more or less often than in all, "" of none."""
    every, least, worst = arms.total(), _FOLLOWS_P / max(len(table), 1), ""
    is_significant = False
    for name, counts in table.items():
        total = counts.total()
        # Of a class that nearly all draws have, those without it are the few.
        if min(total, every - total) * min(arms.values()) < _EXPECTED_MIN * every:
            continue
        share = total / every
        chi2 = sum(
            (counts[arm] - share * of_arm) ** 2 / (share * (1 - share) * of_arm)
            for arm, of_arm in arms.items()
        )
        if (chance := chi2_above(chi2, len(arms) - 1)) < least:
            least, worst, is_significant = chance, name, True
    if not is_significant:
        return ""
    counts = table[worst]
    arm = max(
        arms, key=lambda arm_name: abs(counts[arm_name] / arms[arm_name] - counts.total() / every)
    )
    return (
        f"{counts[arm] / arms[arm]:.1%} of the draws in arm {arm} are of {worst or 'none'}, and "
        f"{counts.total() / every:.1%} of all; arms are compared over all of them"
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


def _evidence(counts: Sequence[int], shares: Sequence[float]) -> float:
    """Return how much likelier the counts are under unknown shares than under these."""
    log = math.lgamma(_PRIOR_DRAWS) - math.lgamma(_PRIOR_DRAWS + sum(counts))
    for count, share in zip(counts, shares, strict=True):
        prior_draws = _PRIOR_DRAWS * share
        log += math.lgamma(prior_draws + count) - math.lgamma(prior_draws) - count * math.log(share)
    return math.exp(min(log, 700.0))
