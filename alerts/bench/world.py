"""Pure: a shop of thirty days, with incidents whose cost is known.

Two classes of requests: browsing, 95 % of them at $0.002, and the checkout, 5 % at $1.20, together
$10 M in 30 days; baskets are log-normal, traffic swings with the day. A failed request loses its
value, a slow one 5 % of it for each 100 ms. An incident is *significant* where it loses 2 % of a
budget of 0.1 % of the revenue.

The mix of incidents is ours. It has what count rules see well (outages), what they overrate
(browsing that fails, a night's outage) and what they overlook (a checkout that fails a little, a
latency without errors).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.core.intervals import Z90

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

STEP_S: Final = 10
DAYS: Final = 30
STEPS: Final = DAYS * 86_400 // STEP_S
BUDGET_USD: Final = 10_000.0
SIGNIFICANT_USD: Final = 0.02 * BUDGET_USD

_REQUESTS_PER_S: Final = 62.3
_SHARES: Final = (0.95, 0.05)
_VALUES_USD: Final = (0.002, 1.20)
_FAILED: Final = 0.0002  # always, of either class
_EXCESS_MS: Final = 0.5  # always, on average
_LOST_PER_MS: Final = -math.log(1 - 0.05) / 100
_BASKET_SIGMA: Final = 1.0
_SLOPE_DEVIATION: Final = 0.25  # of the estimate that a rule goes by, on the log scale
_APART: Final = 3_600 // STEP_S

_Range = tuple[float, float]
_NONE: Final[_Range] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Kind:
    """Incidents of one kind: how many in the days, how long, and what they do to each class."""

    name: str
    count: int
    minutes: _Range
    failed: tuple[_Range, _Range] = (_NONE, _NONE)  # share of the requests of either class
    excess_ms: _Range = _NONE
    at_night: bool = False


KINDS: Final = (
    Kind("outage", 7, (1, 6), ((1, 1), (1, 1))),
    Kind("outage_partial", 5, (5, 20), ((0.2, 0.5), (0.2, 0.5))),
    Kind("night_outage", 4, (2, 5), ((1, 1), (1, 1)), at_night=True),
    Kind("burst", 7, (1 / 3, 1 / 3), ((1, 1), (1, 1))),
    Kind("checkout_fails_a_little", 5, (120, 600), (_NONE, (0.015, 0.025))),
    Kind("checkout_fails", 4, (5, 20), (_NONE, (0.25, 0.35))),
    Kind("browsing_fails", 8, (5, 15), ((0.15, 0.25), _NONE)),
    Kind("browsing_fails_a_little", 5, (30, 120), ((0.03, 0.07), _NONE)),
    Kind("slow_a_little", 4, (120, 600), excess_ms=(30, 50)),
    Kind("slow", 4, (15, 60), excess_ms=(120, 180)),
    Kind("drip", 1, (1_440, 2_880), (_NONE, (0.002, 0.003))),
)


@dataclass(frozen=True, slots=True)
class Incident:
    """What happened, in steps [start, end), and what it cost."""

    kind: str
    start: int
    end: int
    lost_usd: float = 0.0

    @property
    def is_significant(self) -> bool:
        """Return whether someone has to be woken for it."""
        return self.lost_usd >= SIGNIFICANT_USD


@dataclass(frozen=True, slots=True)
class Class:
    """One class of requests by step. `low_usd` is the loss at the 5 % slope."""

    requests: Ints
    bad: Ints  # failed, or slower than a count rule tolerates
    loss_usd: Floats
    low_usd: Floats
    loss_squared: Floats  # USD^2


@dataclass(frozen=True, slots=True)
class World:
    """Thirty days: both classes, the incidents, and the loss of each step."""

    classes: tuple[Class, Class]
    incidents: tuple[Incident, ...]
    lost_usd: Floats


def make_world(seed: int, *, is_equal: bool = False, is_flat: bool = False) -> World:
    """Return the world of a seed.

    Args:
        seed: of everything that is drawn.
        is_equal: every request is worth the same.
        is_flat: ... and traffic does not swing with the day: value then says what counts say.
    """
    draw = np.random.default_rng(seed)
    hour = np.arange(STEPS) * STEP_S / 3_600 % 24
    swing = np.ones(STEPS) if is_flat else 1 + 0.75 * np.sin((hour - 9) / 24 * 2 * math.pi)
    mean_usd = sum(share * value for share, value in zip(_SHARES, _VALUES_USD, strict=True))
    values = (mean_usd, mean_usd) if is_equal or is_flat else _VALUES_USD
    failed = np.full((2, STEPS), _FAILED)
    excess_ms = np.zeros(STEPS)
    incidents = []
    for kind, start, end in _placed(draw, hour):
        for number, share in enumerate(kind.failed):
            part = failed[number, start:end]
            np.maximum(part, draw.uniform(*share), out=part)
        part = excess_ms[start:end]
        np.maximum(part, draw.uniform(*kind.excess_ms), out=part)
        incidents.append(Incident(kind.name, start, end))
    classes = tuple(
        _class(draw, _REQUESTS_PER_S * share * STEP_S * swing, value, failed[number], excess_ms)
        for number, (share, value) in enumerate(zip(_SHARES, values, strict=True))
    )
    lost_usd = classes[0].loss_usd + classes[1].loss_usd
    priced = tuple(
        Incident(each.kind, each.start, each.end, float(lost_usd[each.start : each.end].sum()))
        for each in incidents
    )
    return World((classes[0], classes[1]), priced, lost_usd)


def _placed(draw: np.random.Generator, hour: Floats) -> Iterator[tuple[Kind, int, int]]:
    """Yield incidents an hour apart; a drip lies under the others."""
    taken: list[tuple[int, int]] = []
    for kind in KINDS:
        for _ in range(kind.count):
            while True:
                length = max(1, round(draw.uniform(*kind.minutes) * 60 / STEP_S))
                start = int(draw.integers(_APART, STEPS - length - _APART))
                end = start + length
                if kind.at_night and not 2 <= hour[start] < 5:
                    continue
                is_free = all(start >= b + _APART or end + _APART <= a for a, b in taken)
                if is_free or kind.name == "drip":
                    break
            if kind.name != "drip":
                taken.append((start, end))
            yield kind, start, end


def _class(
    draw: np.random.Generator, rate: Floats, value_usd: float, failed: Floats, excess_ms: Floats
) -> Class:
    requests = draw.poisson(rate)
    fails = draw.binomial(requests, failed)
    served = requests - fails
    step = np.repeat(np.arange(STEPS), fails)
    # Log-normal with mean 1; of requests that are served only the sums over a step are drawn.
    basket = draw.lognormal(-(_BASKET_SIGMA**2) / 2, _BASKET_SIGMA, len(step))
    fail_usd = value_usd * np.bincount(step, basket, STEPS)
    fail_squared = value_usd**2 * np.bincount(step, basket**2, STEPS)
    second_moment = 2 * math.exp(_BASKET_SIGMA**2)  # of basket and excess together
    share = 1 - np.exp(-_LOST_PER_MS * (excess_ms + _EXCESS_MS * draw.lognormal(0, 0.3, STEPS)))
    spread = draw.normal(0, 1, STEPS) * np.sqrt(second_moment / np.maximum(served, 1))
    late_usd = value_usd * served * share * np.maximum(1 + spread, 0.05)
    late_squared = value_usd**2 * served * share**2 * second_moment
    is_bad = 0.0001 + 0.00009 * excess_ms + 0.02 * (excess_ms > 100)
    return Class(
        requests=requests,
        bad=fails + draw.binomial(served, is_bad),
        loss_usd=fail_usd + late_usd,
        low_usd=fail_usd + late_usd * math.exp(-Z90 * _SLOPE_DEVIATION),
        loss_squared=fail_squared + late_squared,
    )
