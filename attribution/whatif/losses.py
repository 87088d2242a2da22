"""Pure: what two populations of decisions lost, and how often they failed.

What a decision lost is what Decisions and the Overview say: all of its value where it failed, else
the share that its lateness cost (`revenue.loss`). One that neither failed nor was late lost
nothing, whatever it is worth; one that did, and whose value nobody knows, is in no amount. Nor is
a late one where what lateness costs is unknown.

A population loses beyond another what it lost, less what as many decisions of the other lose. Where
decisions of an unknown value lost something in one of both, all of that action and region of such a
value are left out of both: they were no known nothing before they got late. Of
that a value of a dimension, such as the region eu-west, has what its own decisions lose beyond the
mean of the other population, less its share there of all of it; the amounts of the values of one
dimension sum to 0. Whatever is said of all losses is said of those by failures too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from attribution.path.spans import Bools, Ints
from attribution.revenue.sums import Floats
from collector.core.intervals import wilson


@dataclass(frozen=True, slots=True)
class Side:
    """One population, by decision."""

    total_ns: Ints
    is_error: Bools
    loss_usd: Floats  # NaN where it lost an unknown amount
    is_compared: Bools  # False where it is left out of what one lost beyond the other

    def __len__(self) -> int:
        return len(self.total_ns)

    @property
    def failed(self) -> int:
        """Return how many failed."""
        return int(self.is_error.sum())

    @property
    def is_known(self) -> Bools:
        """Return of which it is known what they lost."""
        is_known: Bools = ~np.isnan(self.loss_usd)
        return is_known

    def losses(self, *, failed: bool) -> Floats:
        """Return what each lost of which it is known; `failed`: by failures alone."""
        losses_usd: Floats = self._usd(failed=failed)[self.is_known]
        return losses_usd

    def compared(self, *, failed: bool) -> Floats:
        """Return what each lost that is compared, NaN where that is unknown."""
        losses_usd: Floats = self._usd(failed=failed)[self.is_compared]
        return losses_usd

    def lost_usd(self, *, failed: bool = False) -> float | None:
        """Return what all lost, None where something was lost and of none it is known how much."""
        losses = self.losses(failed=failed)
        if self.is_unknown(failed=failed).any() and not (losses > 0).any():
            return None
        return math.fsum(losses)

    def is_unknown(self, *, failed: bool) -> Bools:
        """Return which lost an amount that nobody knows; `failed`: by failure."""
        is_unknown: Bools = ~self.is_known & self.is_error if failed else ~self.is_known
        return is_unknown

    def _usd(self, *, failed: bool) -> Floats:
        return np.where(self.is_error, self.loss_usd, 0.0) if failed else self.loss_usd


def compared(
    losses: Sequence[Floats], valued: Sequence[Bools], codes: Sequence[Ints]
) -> list[Bools]:
    """Return which decisions of two populations are compared by what they lost.

    Args:
        losses: of both, NaN where it is unknown.
        valued: of which it is known what they are worth.
        codes: of which action and region they are.
    """
    lost = [
        code[np.isnan(usd) & ~is_known]
        for usd, is_known, code in zip(losses, valued, codes, strict=True)
    ]
    unknown = np.unique(np.concatenate(lost))
    return [
        is_known | ~np.isin(code, unknown) for is_known, code in zip(valued, codes, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Failures:
    """How often both populations failed."""

    before: int
    after: int
    low: float  # 95 % interval by which the share of the second is larger
    high: float
    p: float  # chance of such a difference, did both fail as often


def failures(before: Side, after: Side) -> Failures:
    """Return how often two populations failed, neither of which is empty.

    Sources: the interval is that of Newcombe (1998), method 10; the chance is exact, given how
    many failed in both together (Przyborowski and Wilenski, 1940).
    """
    ends = [(side.failed / len(side), *wilson(side.failed, len(side))) for side in (before, after)]
    (first, first_low, first_high), (second, low, high) = ends
    apart = second - first
    return Failures(
        before.failed,
        after.failed,
        apart - math.hypot(second - low, first_high - first),
        apart + math.hypot(high - second, first - first_low),
        chance(after.failed, before.failed + after.failed, len(after) / (len(before) + len(after))),
    )


def beyond_usd(before: Side, after: Side, *, failed: bool = False) -> float | None:
    """Return what the second population lost beyond as many decisions of the first.

    None where of one of them that is not known.
    """
    if before.lost_usd(failed=failed) is None or after.lost_usd(failed=failed) is None:
        return None
    usual, lost = before.compared(failed=failed), after.compared(failed=failed)
    if not len(usual) or not len(lost):
        return None
    beyond = math.fsum(lost) - math.fsum(usual) / len(usual) * len(lost)
    return None if math.isnan(beyond) else beyond


def beyond_shares_usd(
    before: Side, after: Side, codes: tuple[Ints, Ints], size: int, *, failed: bool = False
) -> Floats:
    """Return by value of a dimension what it has of `beyond_usd`, beyond its share of it.

    NaN where that of none of its decisions is known that lost something, where none of them is
    compared, or where that of a population is unknown.

    Args:
        before: what is compared with.
        after: what is explained.
        codes: of which value each decision is, of both.
        size: how many values there are.
        failed: of what was lost by failures alone.
    """
    unknown: Floats = np.full(size, math.nan)
    if beyond_usd(before, after, failed=failed) is None:
        return unknown
    first, second = before.compared(failed=failed), after.compared(failed=failed)
    of_first, of_second = codes[0][before.is_compared], codes[1][after.is_compared]
    mean = math.fsum(first) / len(first)
    own_usd: Floats = np.bincount(of_second, second - mean, size).astype(np.float64)
    own_usd -= np.bincount(of_first, first - mean, size) * (len(second) / len(first))
    share = np.bincount(of_first, minlength=size) / len(first)
    is_lost = np.bincount(codes[1][after.is_unknown(failed=failed)], minlength=size) > 0
    has_sales = np.bincount(of_second, second > 0, size) > 0
    left_out = np.concatenate([codes[0][~before.is_compared], codes[1][~after.is_compared]])
    is_out = np.bincount(left_out, minlength=size) > 0
    is_out &= np.bincount(np.concatenate([of_first, of_second]), minlength=size) == 0
    shares_usd: Floats = np.where(
        is_out | is_lost & ~has_sales, math.nan, own_usd - share * own_usd.sum()
    )
    return shares_usd


def failing_chances(before: Side, after: Side, codes: tuple[Ints, Ints], size: int) -> Floats:
    """Return by value the chance of so many failures, had it no part in the difference of both.

    Of the population that fails more often a value has as many failures as the other one tells
    of it, and of those beyond that its share of decisions there. The chance is exact given how
    many failed, so that one failure of a rare value proves nothing; that what the other tells is
    itself uncertain is for whoever asks.
    """
    if before.failed * len(after) > after.failed * len(before):
        before, after, codes = after, before, (codes[1], codes[0])
    # A value that the other one has not may yet be in it: of few decisions that is likely.
    share = (np.bincount(codes[0], minlength=size) + 1) / (len(before) + size)
    usual, failed = (
        np.bincount(code[side.is_error], minlength=size)
        for side, code in zip((before, after), codes, strict=True)
    )
    scale = len(after) / len(before)
    expected = usual * scale + share * (after.failed - before.failed * scale)
    total = after.failed
    return np.array(
        [
            chance(int(count), total, min(mean / total, 1.0)) if total else 1.0
            for count, mean in zip(failed.tolist(), expected.tolist(), strict=True)
        ]
    )


def chance(count: int, total: int, share: float) -> float:
    """Return the two-sided chance that so many of some are it, where each is by a share."""
    if not 0 < share < 1:
        return float(count == round(total * share))
    counts = np.arange(1, total + 1)
    steps = np.log((total - counts + 1) / counts) + math.log(share) - math.log1p(-share)
    likely = np.exp(total * math.log1p(-share) + np.concatenate([[0.0], np.cumsum(steps)]))
    return float(min(1.0, 2 * min(likely[: count + 1].sum(), likely[count:].sum())))
