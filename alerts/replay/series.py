"""Pure: what one class of decisions lost, second by second, so that a window is two look-ups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from alerts.rules.burn_rate import Window
from collector.core.clock import NS_PER_S

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_MICRO = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Steps:
    """Losses by step, each array as long as the time that they cover; money in millionths of USD.

    Args:
        basis: decisions of known value by the basis of the value.
        slope_source: the same by the source of the slope.
    """

    decisions: Ints
    unvalued: Ints
    loss: Ints
    loss_low: Ints
    loss_high: Ints
    loss_squared: Floats  # USD^2
    basis: Mapping[str, Ints]
    slope_source: Mapping[str, Ints]


class Series:
    """Losses of one class in steps of equal length from an instant on.

    Args:
        start_ns: of the first step, Unix ns.
        step_ns: length of each.
        steps: the losses.
    """

    def __init__(self, start_ns: int, step_ns: int, steps: Steps) -> None:
        self.start_ns = start_ns
        self.step_ns = step_ns
        self.decisions = _summed(steps.decisions)
        self.unvalued = _summed(steps.unvalued)
        self.valued = self.decisions - self.unvalued
        self.loss = _summed(steps.loss)
        self._low = _summed(steps.loss_low)
        self._high = _summed(steps.loss_high)
        self._squared = _summed(steps.loss_squared)
        self._basis = {label: _summed(each) for label, each in steps.basis.items()}
        self._source = {label: _summed(each) for label, each in steps.slope_source.items()}
        at = np.where(steps.decisions > 0, np.arange(len(steps.decisions)), -1)
        self._count = len(at)
        self._newest = np.maximum.accumulate(np.concatenate([[-1], at]))

    def index(self, at_ns: Ints) -> Ints:
        """Return how many steps are over at each instant."""
        return np.clip((at_ns - self.start_ns) // self.step_ns, 0, self._count)

    def window(self, seconds: int, end_ns: int) -> Window:
        """Return the losses of a window that ends at an instant."""
        begin_ns = end_ns - seconds * NS_PER_S
        first, last = (
            min(max((at_ns - self.start_ns) // self.step_ns, 0), self._count)
            for at_ns in (begin_ns, end_ns)
        )
        newest = int(self._newest[last])
        return Window(
            decisions=int(self.decisions[last] - self.decisions[first]),
            unvalued=int(self.unvalued[last] - self.unvalued[first]),
            loss_usd=_usd(self.loss[last] - self.loss[first]),
            loss_low_usd=_usd(self._low[last] - self._low[first]),
            loss_high_usd=_usd(self._high[last] - self._high[first]),
            loss_squared=max(0.0, float(self._squared[last] - self._squared[first])),
            basis=_labels(self._basis, first, last),
            slope_source=_labels(self._source, first, last),
            newest_ns=self.start_ns + newest * self.step_ns if newest >= first else 0,
        )

    def newest_ns(self, end_ns: Ints) -> Ints:
        """Return the newest step with a decision before each instant, 0 where there is none."""
        newest = self._newest[self.index(end_ns)]
        return np.where(newest < 0, 0, self.start_ns + newest * self.step_ns)


def _summed(values: NDArray[np.int64] | NDArray[np.float64]) -> NDArray:  # type: ignore[type-arg]  # of the dtype that came
    return np.concatenate([np.zeros(1, values.dtype), np.cumsum(values)])


def _labels(by_label: Mapping[str, Sequence[int] | Ints], first: int, last: int) -> str:
    return "+".join(sorted(label for label, n in by_label.items() if n[last] > n[first]))


def _usd(micro: int | np.int64) -> Decimal:
    return Decimal(int(micro)) / _MICRO
