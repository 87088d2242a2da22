"""Pure: what decisions earned, in sums, the value of one that they say, and how sure it is.

Sales come by chance, so of n equal ones the exact interval is that of the gamma distribution
(Garwood 1936), and of unequal ones n is the square of their sum over the sum of their squares (Fay
and Feuer 1997); at the high end there is one more. What is sold and taken back may add up to a sum
below 0 by chance alone: of that nobody knows the value.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import numpy.typing as npt

from attribution.core.money import MICROS_PER_USD
from attribution.path.spans import Bools, Ints
from collector.core.intervals import Z90

Floats = npt.NDArray[np.float64]
Column = Ints | Floats | Bools

PPB = 1_000_000_000
BASES = ("margin", "revenue", "expected", "unknown")
MARGIN, REVENUE, EXPECTED, UNKNOWN = range(4)
# Squares are whole numbers, so that what entered a window can leave it: of hundred-thousandths of a
# dollar, and of what is larger than 64 bits of squares hold, of so many times as much.
_MICROS_OF_ONE, _LARGE_BITS, _LARGE_FROM = 10, 26, 2**31
_SQUARE_USD = (_MICROS_OF_ONE / MICROS_PER_USD) ** 2
# One more sale may be so many times as large, where amounts are as unlike as of a heavy tail.
_LARGER = 3.0
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Earned:
    """What decisions earned, one row a decision or the sums of many.

    Whole numbers, and floats for a window, whose sums may be beyond 64 bits.
    """

    decisions: Ints | Floats
    known: Ints | Floats  # what they earned is known, be it nothing
    kept_ppb: Ints | Floats  # ... the share of its value that each kept, in billionths
    converted: Ints | Floats  # ... that earned something, or should have
    margins: Ints | Floats  # ... whose margin is known
    margin_micros: Ints | Floats
    revenues: Ints | Floats
    revenue_micros: Ints | Floats

    def matrix(self) -> Ints:
        """Return the columns side by side."""
        return np.stack([getattr(self, field.name) for field in fields(self)], axis=1)

    @classmethod
    def from_matrix(cls, matrix: Ints | Floats) -> Self:
        """Return the columns of `matrix()`."""
        return cls(*(matrix[:, index] for index in range(matrix.shape[1])))

    def a_decision(self) -> tuple[Ints, Floats]:
        """Return what a known decision earned: the index into BASES, and millionths of a dollar.

        MARGIN, REVENUE or UNKNOWN; 0 where it is unknown.
        """
        return self._over(np.asarray(self.known, np.float64))

    def a_sound_one(self) -> tuple[Ints, Floats]:
        """Return the same of a decision that neither fails nor is late."""
        return self._over(np.asarray(self.kept_ppb, np.float64) / PPB)

    def _over(self, shared_by: Floats) -> tuple[Ints, Floats]:
        with np.errstate(divide="ignore", invalid="ignore"):
            by_margin, by_revenue = (
                amount / count * self.converted / shared_by
                for amount, count in (
                    (self.margin_micros, self.margins),
                    (self.revenue_micros, self.revenues),
                )
            )
        by_what = [
            (shared_by > 0) & (amounts > 0) & (2 * amounts >= self.converted)
            for amounts in (self.margins, self.revenues)
        ]
        basis = np.select(by_what, [MARGIN, REVENUE], UNKNOWN)
        mean = np.select([basis == MARGIN, basis == REVENUE], [by_margin, by_revenue], 0.0)
        return basis.astype(np.int64), mean


@dataclass(frozen=True, slots=True)
class EarnedInCells(Earned):
    """The same with the squares of what each cell earned, as `squares` counts them.

    A cell is a second of a class, and of few sales hardly one has two. Where it has many, they may
    have come together, so that they are one in what they say.
    """

    margin_squares: Ints | Floats
    margin_large_squares: Ints | Floats
    revenue_squares: Ints | Floats
    revenue_large_squares: Ints | Floats

    def ends(self, basis: Ints) -> tuple[Floats, Floats]:
        """Return the 90 % interval of a value as multiples of it: what chance leaves unknown.

        Args:
            basis: as `a_sound_one` says; 1 and 1 where it is neither margin nor revenue.

        Returns:
            The low ends, from 0 to 1, and the high ends; both NaN where the sum is not above 0 and
            the value may be.
        """
        by_basis = [basis == MARGIN, basis == REVENUE]
        sales, total, squared = (
            np.select(by_basis, [np.asarray(each, np.float64) for each in pair], 0.0)
            for pair in (
                (self.margins, self.revenues),
                (self.margin_micros / MICROS_PER_USD, self.revenue_micros / MICROS_PER_USD),
                (
                    _usd_squared(self.margin_squares, self.margin_large_squares),
                    _usd_squared(self.revenue_squares, self.revenue_large_squares),
                ),
            )
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            n = np.where(squared > 0, total**2 / squared, np.inf)
            # The next sale, over the sum: where amounts are unlike it may be larger than these.
            following = (_LARGER - (_LARGER - 1) * np.minimum(n / sales, 1.0)) / n
            mean, variance = 1 + following, 1 / n + following**2
            high = mean * _gamma_end(mean**2 / variance, Z90)
            # Of one sign they are 1 or more: fewer are sums of what was sold and taken back, which
            # may be one order of which nobody knows more, and never nothing: it would mute alerts.
            low = np.clip(_gamma_end(np.maximum(n, 1.0), -Z90), 0.0, 1.0)
            high = np.where(n < 1 - _ROUNDING, 1 + Z90 / np.sqrt(n), high)
        is_unclear = (squared > 0) & (total <= 0) & (total + Z90 * np.sqrt(squared) > 0)
        return np.where(is_unclear, np.nan, low), np.where(is_unclear, np.nan, high)


def _gamma_end(shape: Floats, z: float) -> Floats:
    """Return a quantile of the gamma distribution over its mean; Wilson and Hilferty (1931)."""
    return np.asarray((1 - 1 / (9 * shape) + z / (3 * np.sqrt(shape))) ** 3)


def squares(micros: Ints) -> tuple[Ints, Ints]:
    """Return squares of hundred-thousandths of a dollar, and those of 2**26 times as much.

    Each amount is in one of the two, and nothing in the other; a large one is short of 3 % at most.
    """
    ones = np.abs(micros) // _MICROS_OF_ONE
    is_large = ones >= _LARGE_FROM
    small, large = np.where(is_large, 0, ones), np.where(is_large, ones >> _LARGE_BITS, 0)
    return small * small, large * large


def _usd_squared(small: Ints | Floats, large: Ints | Floats) -> Floats:
    return np.asarray((small + large * 4.0**_LARGE_BITS) * _SQUARE_USD)
