"""Pure: two populations of decisions, before and after or fast and slow, and where they differ.

The difference of the means is split exactly: into what changed the mix of actions and regions (more
of a slow action is no slower action), and, within each action and region, into the segments. What
the mix of channels or cohorts changed is among the segments. A segment
counts as different when Welch's test says so after control of the false discoveries among all
segments (Benjamini and Hochberg); with few decisions nothing is said.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from attribution.core.segments import SEGMENTS
from attribution.path.spans import Bools, Ints
from attribution.revenue.sums import Floats
from collector.core.intervals import Z95

# Below this many decisions in a population, the mean of a skewed latency is not yet normal.
DECISIONS_MIN = 30
FALSE_DISCOVERIES_MAX = 0.05


@dataclass(frozen=True, slots=True)
class Population:
    """Attributed decisions, one row each."""

    segment_ns: Ints  # decisions x 16
    group: Ints  # code of (action, region), the same codes in both populations
    is_error: Bools  # what failed lost its worth by that, and none by how long it took

    def __len__(self) -> int:
        return len(self.group)

    def answered(self) -> Population:
        """Return those that did not fail."""
        kept = ~self.is_error
        return Population(self.segment_ns[kept], self.group[kept], self.is_error[kept])


@dataclass(frozen=True, slots=True)
class Difference:
    """How much longer a segment took in the second population, within equal decisions."""

    segment: int  # index into spans.SEGMENTS
    mean_before_ns: float  # over the decisions whose action and region are in both
    mean_after_ns: float  # before and after differ by `change_ns`
    change_ns: float
    low_ns: float  # 95 % interval of the change
    high_ns: float
    p: float  # chance of such a difference between equal populations
    q: float  # share of false discoveries, if this one and all with less p are called different
    is_different: bool
    usd_per_decision: float | None  # cost of the change; None where the worth is unknown


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between two populations; `mix_ns` and the changes sum to `change_ns`."""

    decisions_before: int
    decisions_after: int
    mean_before_ns: float
    mean_after_ns: float
    change_ns: float
    mix_ns: float  # of it, by other decisions: their actions and regions
    differences: tuple[Difference, ...]  # the dearest first
    uncompared: int  # decisions of the second whose action and region the first has not twice
    is_enough: bool  # else n is too small, and no segment is called different


def compare(
    before: Population, after: Population, usd_per_ns: Sequence[float] | None = None
) -> Comparison:
    """Compare two populations.

    Args:
        before: what is compared with.
        after: what is explained.
        usd_per_ns: by group, what a nanosecond more costs a decision of the second population that
            did not fail on average; NaN where it is unknown. None where nothing is known.
    """
    used = int(max(before.group.max(initial=-1), after.group.max(initial=-1))) + 1
    groups = max(used, 0 if usd_per_ns is None else len(usd_per_ns))
    mean_before, mean_after = _mean(before.segment_ns), _mean(after.segment_ns)
    count_before = np.bincount(before.group, minlength=groups)
    count_after = np.bincount(after.group, minlength=groups)
    weight, inside = _inside(before, after, groups)
    changes = (weight[:, None] * inside).sum(axis=0)
    total = float((mean_after - mean_before).sum())
    variance = _variance(before, count_before, weight) + _variance(after, count_after, weight)
    is_enough = min(len(before), len(after)) >= DECISIONS_MIN
    # A few decisions of a kind that is slow now and then seldom hold a slow one, and seem steady.
    # Were the populations equal, each would vary as both together do: the larger variance counts.
    pooled = _pooled(before, after, count_before, count_after, weight)
    spread = np.maximum(variance, pooled)
    p = _two_sided(changes, spread)
    q = false_discovery_shares(p)
    standing = _group_means(before, groups)
    base = (weight[:, None] * standing).sum(axis=0)
    base = base / weight.sum() if weight.sum() else base
    costs = _costs(before, after, weight, usd_per_ns)
    differences = [
        Difference(
            segment=index,
            mean_before_ns=float(base[index]),
            mean_after_ns=float(base[index] + changes[index]),
            change_ns=float(changes[index]),
            low_ns=float(changes[index] - Z95 * math.sqrt(spread[index])),
            high_ns=float(changes[index] + Z95 * math.sqrt(spread[index])),
            p=float(p[index]),
            q=float(q[index]),
            is_different=is_enough and bool(q[index] <= FALSE_DISCOVERIES_MAX),
            usd_per_decision=costs[index],
        )
        for index in range(len(SEGMENTS))
    ]
    return Comparison(
        decisions_before=len(before),
        decisions_after=len(after),
        mean_before_ns=float(mean_before.sum()),
        mean_after_ns=float(mean_after.sum()),
        change_ns=total,
        mix_ns=total - float(changes.sum()),
        differences=tuple(sorted(differences, key=_dearest_first)),
        uncompared=int(count_after[weight == 0].sum()),
        is_enough=is_enough,
    )


def false_discovery_shares(p: Floats) -> Floats:
    """Return for each test the share of false discoveries if it is the last that is believed.

    Source: Benjamini and Hochberg (1995), the step-up adjusted values.
    """
    order = np.argsort(p, kind="stable")
    ranked = p[order] * len(p) / np.arange(1, len(p) + 1)
    adjusted = np.minimum.accumulate(ranked[::-1])[::-1]
    result = np.empty_like(p)
    result[order] = np.minimum(adjusted, 1.0)
    return result


def _mean(segment_ns: Ints) -> Floats:
    mean: Floats = segment_ns.sum(axis=0) / max(len(segment_ns), 1)
    return mean


def _group_means(population: Population, groups: int) -> Floats:
    sums = np.zeros((groups, len(SEGMENTS)), np.int64)
    np.add.at(sums, population.group, population.segment_ns)
    count = np.bincount(population.group, minlength=groups)
    means: Floats = sums / np.maximum(count, 1)[:, None]
    return means


def _variance(population: Population, count: Ints, weight: Floats) -> Floats:
    """Return the variance of the weighted mean of each segment."""
    squares = _squares(population, len(count))
    of_mean = squares / (np.maximum(count - 1, 1) * np.maximum(count, 1))[:, None]
    used = weight > 0
    total: Floats = (weight[used, None] ** 2 * of_mean[used]).sum(axis=0)
    return total


def _pooled(
    before: Population, after: Population, count_before: Ints, count_after: Ints, weight: Floats
) -> Floats:
    """Return the variance of the difference of both weighted means, were the populations equal."""
    groups = len(weight)
    each = (_squares(before, groups) + _squares(after, groups)) / np.maximum(
        count_before + count_after - 2, 1
    )[:, None]
    counts = 1 / np.maximum(count_before, 1) + 1 / np.maximum(count_after, 1)
    total: Floats = (weight[:, None] ** 2 * counts[:, None] * each).sum(axis=0)
    return total


def _squares(population: Population, groups: int) -> Floats:
    """Return the sum of the squared distances from the mean, by group and segment."""
    off = population.segment_ns - _group_means(population, groups)[population.group]
    squares = np.zeros((groups, len(SEGMENTS)))
    np.add.at(squares, population.group, off**2)
    return squares


def _two_sided(change: Floats, variance: Floats) -> Floats:
    """Return the chance of at least this change between equal populations."""
    p = np.ones(len(change))
    for index, (each, spread) in enumerate(zip(change.tolist(), variance.tolist(), strict=True)):
        if each:
            z = abs(each) / math.sqrt(spread) if spread else math.inf
            p[index] = math.erfc(z / math.sqrt(2))
    return p


def _inside(before: Population, after: Population, groups: int) -> tuple[Floats, Floats]:
    """Return the share of each group that both have, and how its means differ by segment."""
    count_before = np.bincount(before.group, minlength=groups)
    count_after = np.bincount(after.group, minlength=groups)
    # Of one decision alone nothing tells how much its kind varies.
    shared = (count_before > 1) & (count_after > 1)
    weight = np.where(shared, count_after, 0) / max(len(after), 1)
    inside = _group_means(after, groups) - _group_means(before, groups)
    return weight, np.where(shared[:, None], inside, 0.0)


def _costs(
    before: Population, after: Population, shared: Floats, usd_per_ns: Sequence[float] | None
) -> list[float | None]:
    """Return by segment what a decision of the second population lost by its time on average."""
    price = np.full(len(shared), math.nan) if usd_per_ns is None else np.array(usd_per_ns)
    is_known = ~np.isnan(price) & (shared > 0)
    if not is_known.any():
        return [None] * len(SEGMENTS)
    answered = after.answered()
    weight, inside = _inside(before.answered(), answered, len(shared))
    costs = (weight[is_known, None] * inside[is_known] * price[is_known, None]).sum(axis=0)
    return [float(each) * len(answered) / len(after) for each in costs]


def _dearest_first(difference: Difference) -> tuple[bool, float, float]:
    """Sort what is different before what is not, then by dollars, then by time."""
    usd = difference.usd_per_decision or 0.0
    return (not difference.is_different, -abs(usd), -abs(difference.change_ns))
