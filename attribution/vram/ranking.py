"""Pure: VRAM, the Velocity Response Architecture Model: what latency is worth, group by group.

The Expected Revenue Velocity of a group is what it earns, in USD a second: now, what its decisions
of the window earned over the window's length; when decision i takes d_i less,

    ERV(d) = ERV(0) x sum of exp(-beta x (L_i - d_i)) / sum of exp(-beta x L_i)

over those that did not fail, which earn nothing at any latency. Failures and lateness are in ERV(0)
and in no other place. beta has an interval, ERV(0) an error, and so has all that follows from them.
The weight of a segment is its Shapley share of what is gained where every segment comes down to its
own floor, its 10 % quantile.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from attribution.books.compound import interval_of, likely, normal_quantiles
from attribution.compact import kernel
from attribution.compact.trees import CompactTrees
from attribution.core.segments import SEGMENTS
from attribution.core.slo import Z90
from attribution.path.spans import Bools, Ints
from attribution.revenue.loss import Slope
from attribution.revenue.sums import Floats
from attribution.whatif.replay import Change, Replay
from attribution.whatif.shapley import shapley
from collector.core.times import NS_PER_MS, S_PER_YEAR

SECONDS_AN_HOUR = 3_600
FLOOR_QUANTILE = 0.1
# Quantiles of the slope over which a band is taken: its median twice, once for either side.
_DRAWS = 201
_NANOS_PER_USD = 10**9


@dataclass(frozen=True, slots=True)
class Group:
    """Decisions of one kind: a channel, or an action in a region."""

    name: str
    decisions: int  # of the window, over which it earns
    decisions_per_s: float
    value_usd: float  # what one of them earned on average, failed ones among them
    slope: Slope  # per ns
    total_ns: Ints  # of a sample of them
    is_error: Bools  # these earn nothing, however fast
    error_usd_per_s: float = 0.0  # standard, of what they earn
    following_usd_per_s: float = 0.0  # what one sale more would add to it
    known: int = 0  # of the decisions, whose outcome is known: `value_usd` is over these
    earned_usd: float = 0.0  # by these
    kind: str = ""  # of a channel: paid or owned, as it is declared

    @property
    def usd_per_s(self) -> float:
        """Return what it earns now, below 0 where more is taken back than sold."""
        return self.decisions_per_s * self.value_usd

    @property
    def at_stake_usd_per_s(self) -> float:
        """Return how much of it latency changes: losing decisions that cost money is no loss."""
        return max(self.usd_per_s, 0.0)

    @property
    def likely_usd_per_s(self) -> Floats:
        """Return quantiles of what it earns in the long run, by how few sales that is told."""
        return likely(self.usd_per_s, self.error_usd_per_s, self.following_usd_per_s)


@dataclass(frozen=True, slots=True)
class Band:
    """A figure and its 90 % interval, by those of the slope and of what was earned."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What a group earns where every decision takes so much longer."""

    shift_ms: float
    erv_usd_per_s: Band
    change_usd_per_hour: Band  # against no shift: the integral of revenue over these ms
    change_usd_per_year: Band | None  # None where a year would rest on too few days


@dataclass(frozen=True, slots=True)
class Worth:
    """What a group earns, and what milliseconds do to it; a year is None on too few days."""

    name: str
    kind: str  # of a channel: paid or owned, "" where nobody says
    decisions: int
    known: int  # ... whose outcome is known: the value is over these
    sampled: int  # ... whose latencies stand for all
    earned_usd: float  # in the window, by the known ones
    value_usd: float  # of one, failed ones among them
    erv_usd_per_s: Band
    marginal_usd_per_ms_hour: Band  # of the next millisecond faster
    marginal_usd_per_ms_year: Band | None
    gain_10ms_usd_per_hour: Band  # of ten, in all
    gain_10ms_usd_per_year: Band | None
    loss_per_100ms: Band  # share of the value that another 100 ms lose


@dataclass(frozen=True, slots=True)
class Weight:
    """What one segment weighs."""

    segment: str  # stage/class
    weight: float  # share of the gain; all sum to 1
    gain_usd_per_hour: float  # where all segments are at their floors, its Shapley share
    gain_low_usd_per_hour: float  # at the low ends of all slopes
    gain_high_usd_per_hour: float
    gain_usd_per_year: float | None  # None on too few days
    time_share: float  # of the critical path
    floor_ms: float  # 10 % quantile of the time that decisions spend in it


def slopes(slope: Slope, count: int = _DRAWS) -> Floats:
    """Return slopes at even quantiles: log-normal on either side of the median."""
    z = normal_quantiles(count) / Z90
    edge = np.where(z < 0, slope.low, slope.high)
    drawn: Floats
    if slope.low > 0:
        drawn = slope.median * np.exp(np.log(edge / slope.median) * np.abs(z))
    else:  # a slope that may be none has no ratio to it
        drawn = np.maximum(slope.median + (edge - slope.median) * np.abs(z), 0.0)
    return drawn


def erv(group: Group, saved_ns: Ints | int, beta: float) -> float:
    """Return the expected revenue velocity at one slope, in USD a second."""
    now = group.usd_per_s
    left = ~group.is_error
    if isinstance(saved_ns, int):
        return float(_erv_alike(group, saved_ns, np.array([beta]))[0])
    if not left.any() or now < 0:
        return now
    total_ns = group.total_ns[left]
    # Whatever is taken off all of them alike is taken off both sums.
    over_ns = total_ns - total_ns.min()
    kept = np.exp(-beta * over_ns.astype(np.float64))
    shifted = np.exp(-beta * (over_ns - saved_ns[left]).astype(np.float64))
    return float(now * shifted.sum() / kept.sum())


def _erv_alike(group: Group, saved_ns: int, betas: Floats) -> Floats:
    """Return the same at several slopes, where all decisions take so much less."""
    return group.usd_per_s + group.at_stake_usd_per_s * _gained(group, saved_ns, betas)


def _gained(group: Group, saved_ns: int, betas: Floats) -> Floats:
    """Return the share of what is at stake that comes on top, likewise."""
    if group.is_error.all():
        return np.zeros(len(betas))
    return np.expm1(betas * saved_ns)


def curve(group: Group, shifts_ms: Sequence[float], *, a_year: bool) -> list[CurvePoint]:
    """Return what a group earns at several shifts of its latency; faster is negative."""
    betas, median = slopes(group.slope), group.slope.median
    now, earned = erv(group, 0, median), group.likely_usd_per_s
    points = []
    for shift in shifts_ms:
        saved_ns = round(-shift * NS_PER_MS)
        drawn = np.outer(_gained(group, saved_ns, betas), np.maximum(earned, 0.0))
        shifted = erv(group, saved_ns, median)
        change = _band(drawn, shifted - now)
        points.append(
            CurvePoint(
                shift,
                _band(earned + drawn, shifted),
                _times(change, SECONDS_AN_HOUR),
                _times(change, S_PER_YEAR) if a_year else None,
            )
        )
    return points


def worth(group: Group, *, a_year: bool) -> Worth:
    """Return what a group earns and what milliseconds are worth to it."""
    betas, median = slopes(group.slope), group.slope.median
    now, ten_ns = erv(group, 0, median), 10 * NS_PER_MS
    earned = group.likely_usd_per_s
    at_stake = np.maximum(earned, 0.0)
    per_ms = _band(
        np.outer(betas * NS_PER_MS, at_stake), median * NS_PER_MS * group.at_stake_usd_per_s
    )
    gained = np.outer(_gained(group, ten_ns, betas), at_stake)
    gain = _band(gained, erv(group, ten_ns, median) - now)
    return Worth(
        name=group.name,
        kind=group.kind,
        decisions=group.decisions,
        known=group.known,
        sampled=len(group.total_ns),
        earned_usd=group.earned_usd,
        value_usd=group.value_usd,
        erv_usd_per_s=_band(earned, now),
        marginal_usd_per_ms_hour=_times(per_ms, SECONDS_AN_HOUR),
        marginal_usd_per_ms_year=_times(per_ms, S_PER_YEAR) if a_year else None,
        gain_10ms_usd_per_hour=_times(gain, SECONDS_AN_HOUR),
        gain_10ms_usd_per_year=_times(gain, S_PER_YEAR) if a_year else None,
        loss_per_100ms=_band(-np.expm1(-betas * 100 * NS_PER_MS), -math.expm1(-median * 1e8)),
    )


def segment_weights(
    trees: CompactTrees, groups: Sequence[Group], sample_rows: Sequence[Ints], *, a_year: bool
) -> list[Weight]:
    """Return the weight of every segment that takes time, the heaviest first.

    Args:
        trees: a sample of the decisions of all groups.
        groups: what they are worth.
        sample_rows: by group, which of the trees are its own, in the order of its `total_ns`.
        a_year: there are days enough to speak of one.
    """
    own_ns = kernel.split(trees).segment_ns
    taken = [segment for segment in range(len(SEGMENTS)) if own_ns[segment].any()]
    floors = {segment: int(np.quantile(own_ns[segment], FLOOR_QUANTILE)) for segment in taken}
    replay = Replay(trees)
    before_ns = replay.latencies([])

    gained = [_Gain(groups, sample_rows, end) for end in ("median", "low", "high")]

    def gain(who: frozenset[int]) -> Sequence[int]:
        changes = [
            Change(frozenset([taken[weight]]), floor_ns=floors[taken[weight]])
            for weight in sorted(who)
        ]
        saved_ns = before_ns - replay.latencies(changes)
        return [round(_NANOS_PER_USD * weight.usd_per_s(saved_ns)) for weight in gained]

    gains = np.array(shapley(len(taken), gain, orders=40), np.float64) / _NANOS_PER_USD
    shares = gains[:, 0].tolist() if taken else []
    # Of small groups more are sampled: each counts as often as it decides.
    spent = sum(
        (
            group.decisions * own_ns[:, rows].mean(axis=1)
            for group, rows in zip(groups, sample_rows, strict=True)
        ),
        np.zeros(len(SEGMENTS)),
    )
    whole, time = sum(shares), float(spent.sum())
    weights = [
        Weight(
            segment="/".join(SEGMENTS[segment]),
            weight=share / whole if whole else 0.0,
            gain_usd_per_hour=share * SECONDS_AN_HOUR,
            gain_low_usd_per_hour=float(gain_usd.min()) * SECONDS_AN_HOUR,
            gain_high_usd_per_hour=float(gain_usd.max()) * SECONDS_AN_HOUR,
            gain_usd_per_year=share * S_PER_YEAR if a_year else None,
            time_share=float(spent[segment]) / time if time else 0.0,
            floor_ms=floors[segment] / NS_PER_MS,
        )
        for segment, share, gain_usd in zip(taken, shares, gains, strict=True)
    ]
    return sorted(weights, key=lambda weight: (-weight.gain_usd_per_hour, weight.segment))


class _Gain:
    """What all groups earn more, at one end of their slopes, where their decisions take less.

    As `erv` of each, less what it earns now, for thousands of groups at once.
    """

    def __init__(self, groups: Sequence[Group], sample_rows: Sequence[Ints], end: str) -> None:
        kept = [
            (group, rows[~group.is_error], group.total_ns[~group.is_error])
            for group, rows in zip(groups, sample_rows, strict=True)
            if not group.is_error.all()  # of what failed nothing is faster
        ]
        sizes = [len(rows) for _, rows, _ in kept]
        empty = np.zeros(0, np.int64)
        self._rows = np.concatenate([empty, *(rows for _, rows, _ in kept)])
        self._over_ns = np.concatenate([empty, *(total - total.min() for _, _, total in kept)])
        self._begins = np.cumsum([0, *sizes[:-1]]) if kept else empty
        self._beta = np.repeat([getattr(group.slope, end) for group, _, _ in kept], sizes)
        self._now = np.array([group.at_stake_usd_per_s for group, _, _ in kept])
        self._before = self._sums(self._over_ns)

    def usd_per_s(self, saved_ns: Ints) -> float:
        """Return the gain where each tree takes so much less."""
        if not len(self._now):
            return 0.0
        sums_after = self._sums(self._over_ns - saved_ns[self._rows])
        return float((self._now * (sums_after / self._before - 1)).sum())

    def _sums(self, over_ns: Ints) -> Floats:
        if not len(over_ns):
            return np.zeros(0)
        values: Floats = np.exp(-self._beta * over_ns.astype(np.float64))
        sums: Floats = np.add.reduceat(values, self._begins)
        return sums


def _band(drawn: Floats, median: float) -> Band:
    low, high = interval_of(drawn)
    return Band(median, min(low, median), max(high, median))


def _times(band: Band, factor: int) -> Band:
    return Band(band.median * factor, band.low * factor, band.high * factor)
