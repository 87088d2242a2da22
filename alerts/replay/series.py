"""Pure: what one class of decisions lost, step by step, so that a window is two look-ups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from alerts.rules.burn_rate import Window
from collector.core.times import NS_PER_S

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_MICRO = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Steps:
    """Losses by step, each array as long as the time that they cover; money in millionths of USD.

    Args:
        basis: decisions of known value by the basis of the value.
        slope_source: the same by the source of the slope.
        unknown: value of late decisions of which nobody knows what lateness costs.
    """

    decisions: Ints
    unvalued: Ints
    loss: Ints
    loss_low: Ints
    loss_high: Ints
    loss_squared: Floats  # USD^2
    basis: Mapping[str, Ints]
    slope_source: Mapping[str, Ints]
    unknown: Ints


class Series:
    """Losses of one class.

    Args:
        starts_ns: when each step begins, Unix ns, ascending; a step that is left out lost nothing.
        steps: the losses.
    """

    def __init__(self, starts_ns: Ints, steps: Steps) -> None:
        self._starts_ns = starts_ns
        self.decisions = _summed(steps.decisions)
        self.unvalued = _summed(steps.unvalued)
        self.valued = self.decisions - self.unvalued
        self.loss = _summed(steps.loss)
        self.loss_low = _summed(steps.loss_low)
        self._high = _summed(steps.loss_high)
        self.loss_squared = _summed(steps.loss_squared)
        self._basis = {label: _summed(each) for label, each in steps.basis.items()}
        self._source = {label: _summed(each) for label, each in steps.slope_source.items()}
        self._unknown = _summed(steps.unknown)
        newest = np.where(steps.decisions > 0, starts_ns, 0)
        self._newest_ns = np.maximum.accumulate(np.concatenate([[0], newest]))

    def index(self, at_ns: Ints) -> Ints:
        """Return how many steps begin before each instant."""
        return np.searchsorted(self._starts_ns, at_ns)

    def window(self, seconds: int, end_ns: int, since_ns: int = 0) -> Window:
        """Return the losses of a window that ends at an instant, of those since another."""
        begin_ns = max(end_ns - seconds * NS_PER_S, min(since_ns, end_ns))
        first, last = (int(at) for at in np.searchsorted(self._starts_ns, [begin_ns, end_ns]))
        newest_ns = int(self._newest_ns[last])
        return Window(
            decisions=int(self.decisions[last] - self.decisions[first]),
            unvalued=int(self.unvalued[last] - self.unvalued[first]),
            loss_usd=_usd(self.loss[last] - self.loss[first]),
            loss_low_usd=_usd(self.loss_low[last] - self.loss_low[first]),
            loss_high_usd=_usd(self._high[last] - self._high[first]),
            loss_squared=max(0.0, float(self.loss_squared[last] - self.loss_squared[first])),
            basis=_labels(self._basis, first, last),
            slope_source=_labels(self._source, first, last),
            newest_ns=newest_ns if newest_ns >= begin_ns else 0,
            unknown_usd=_usd(self._unknown[last] - self._unknown[first]),
        )

    def newest_ns(self, end_ns: Ints) -> Ints:
        """Return the newest step with a decision before each instant, 0 where there is none."""
        return np.asarray(self._newest_ns[self.index(end_ns)])


def _summed(values: NDArray[np.int64] | NDArray[np.float64]) -> NDArray:  # type: ignore[type-arg]  # of the dtype that came
    return np.concatenate([np.zeros(1, values.dtype), np.cumsum(values)])


def _labels(by_label: Mapping[str, Sequence[int] | Ints], first: int, last: int) -> str:
    return "+".join(sorted(label for label, n in by_label.items() if n[last] > n[first]))


def _usd(micro: int | np.int64) -> Decimal:
    return Decimal(int(micro)) / _MICRO
