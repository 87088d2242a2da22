"""Pure: worlds in which the slope is known, and what hides it can be switched on; seeded.

Every variable of a decision has finitely many values, so a decision is of one of some dozen kinds.
How many of each kind and arm a cell holds is multinomial, how many of those convert is binomial:
sums drawn that way have exactly the distribution of sums over drawn rows, at a cost that does not
grow with the number of decisions. The tests draw the same world row by row, for the proof.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from attribution.path.spans import Ints
from attribution.sensitivity.sums import (
    BACKEND,
    BEFORE,
    COUNTED_WHOLE,
    INJECTED,
    LATENCY,
    OUTCOME,
    VARIABLES,
    Answers,
    CellSums,
    Floats,
)

# Share of decisions and delay in ms of each arm: 90 % are left alone, as docs/use/experiments.md
# registers it.
ARMS = ((0.90, 0.0), (0.05, 40.0), (0.05, 80.0))
# A right-skewed back end, standard deviation 14 ms.
_JITTER = ((0.35, 20.0), (0.30, 28.0), (0.20, 38.0), (0.10, 52.0), (0.05, 75.0))
_NETWORK = ((0.5, 20.0), (0.5, 40.0))
_MEAN_USD = 20.0  # of a sale, where sales differ


@dataclass(frozen=True, slots=True)
class World:
    """What holds in a simulated shop; outcomes are conversions or money, latency in ms."""

    decisions: float  # expected, in all
    arms: tuple[tuple[float, float], ...] = ARMS
    minutes: int = 120
    cohorts: int = 4
    conversion: float = 0.03  # at no latency, before any of the below
    relative_per_ms: float = 5e-5  # 0.5 % per 100 ms
    spread_per_ms: float = 0.0  # standard deviation of the above between cohorts
    zipf: float = 0.0  # cohort k has a share proportional to k^-zipf
    hidden: float = 0.0  # a poor connection costs 60 ms of network and this share of intent
    surge: float = 0.0  # in bursts of seconds, 25 ms more back end and this much more intent
    cart: float = 0.0  # a large basket takes 20 ms more of the back end, and buys so much more
    memory: float = 0.0  # of the load from one minute to the next, 0 is none
    # Buyers give up around these latencies, in ms, this share of them each; otherwise they do not.
    steps: tuple[tuple[float, float], ...] = ()
    deadline_ms: float = 0.0  # slower decisions fail, and earn nothing; 0 is none
    missing: float = 0.0  # share of outcomes that never come
    missing_per_100ms: float = 0.0  # ... and so much more when slower
    tail: float = 0.0  # sales are Pareto with this index; 0: each counts one
    # A seventh of the decisions are of units that bought three times before, and buy so much more;
    # their network is 20 ms faster.
    regulars: float = 0.0
    is_drawn: bool = True  # the delays are Millworth's own; else somebody's throttle


@dataclass(frozen=True, slots=True)
class Kinds:
    """The kinds of decision and how likely each is."""

    share: Floats
    backend_ms: Floats
    network_ms: Floats
    intent: Floats  # factor on conversion
    before: Floats  # as the store has it, of the unit


@dataclass(frozen=True, slots=True)
class Draw:
    """One world: cells of cohort x minute, and the truth about them."""

    world: World
    minute: Ints
    cohort: Ints
    expected: Floats  # decisions of each cell
    load_ms: Floats  # added to the back end of each cell
    rate: Floats  # conversion at no latency, before intent
    theta: Floats  # relative effect per ms, by cohort
    kinds: Kinds

    def share(self) -> Floats:
        """Return how likely each kind is in each arm, kinds x arms."""
        arms = np.array([share for share, _ in self.world.arms])
        share: Floats = self.kinds.share[:, None] * arms
        if self.world.is_drawn:
            return share
        # A throttle that slows whoever is unlikely to buy.
        is_slowed = (self.kinds.intent[:, None] < 1.0) & np.array(
            [delay > 0 for _, delay in self.world.arms]
        )
        weighed: Floats = share * np.where(is_slowed, 3.0, 1.0)
        return weighed / float(weighed.sum())

    def values(self) -> Floats:
        """Return the variables but the outcome, which is 0, cells x kinds x arms x VARIABLES."""
        kinds, delays = self.kinds, np.array([delay for _, delay in self.world.arms])
        values = np.zeros((len(self.minute), len(kinds.share), len(delays), len(VARIABLES)))
        backend = self.load_ms[:, None] + kinds.backend_ms
        values[..., BACKEND] = backend[:, :, None] + delays
        values[..., LATENCY] = values[..., BACKEND] + kinds.network_ms[:, None]
        values[..., INJECTED] = delays
        values[..., BEFORE] = kinds.before[:, None]
        return values

    def chances(self, latency: Floats) -> Floats:
        """Return the chance that a decision of so much latency converts, cells x kinds x arms."""
        chances: Floats = (
            self.rate[:, None, None]
            * self.kinds.intent[:, None]
            * np.exp(-self.theta[self.cohort][:, None, None] * latency)
        )
        for at_ms, share in self.world.steps:
            chances = chances * (1 - share * _logistic((latency - at_ms) / 8.0))
        return chances * (1 - self.failure_rate(latency))

    def failure_rate(self, latency: Floats) -> Floats:
        """Return the chance that a decision fails, and earns nothing."""
        if not self.world.deadline_ms:
            return np.zeros_like(latency)
        return _logistic((latency - self.world.deadline_ms) / 10.0)

    def answer_rate(self, latency: Floats) -> Floats:
        """Return the chance that an outcome comes."""
        lost = self.world.missing + self.world.missing_per_100ms * latency / 100.0
        return np.clip(1.0 - lost, 0.0, 1.0)

    def truth(self) -> float:
        """Return the change of the outcome by the next ms over all decisions, as a share of it.

        What a sale brings does not depend on latency, so it is the same of sales and of money.
        """
        latency, step = self.values()[..., LATENCY], 1e-3
        slopes = (self.chances(latency + step) - self.chances(latency - step)) / (2 * step)
        changed, sold = (
            float(np.einsum("cka,ka->c", each, self.share()) @ self.expected)
            for each in (slopes, self.chances(latency))
        )
        return changed / sold


def draw_world(world: World, rng: np.random.Generator) -> Draw:
    """Draw loads, sizes and slopes."""
    cohort, minute = (
        each.reshape(-1) for each in np.indices((world.cohorts, world.minutes), np.int64)
    )
    size = np.arange(1, world.cohorts + 1, dtype=np.float64) ** -world.zipf
    # Load lifts the back end, demand and intent alike: what plain regression mistakes for effect.
    load = _loads(world, rng)[minute]
    expected = size[cohort] * load
    taste = rng.uniform(0.7, 1.3, world.cohorts)[cohort]
    return Draw(
        world=world,
        minute=minute,
        cohort=cohort,
        expected=expected * (world.decisions / expected.sum()),
        load_ms=15.0 * load,
        rate=world.conversion * taste * (0.8 + 0.2 * load),
        theta=rng.normal(world.relative_per_ms, world.spread_per_ms, world.cohorts),
        kinds=_kinds(world),
    )


def draw_cells(draw: Draw, rng: np.random.Generator) -> CellSums:
    """Draw the sums of every arm of every cell, in the order of `draw`, the arms side by side."""
    values, share = draw.values(), draw.share()
    cells, kinds, arms, _ = values.shape
    n = rng.poisson(draw.expected)
    enrolled = rng.multinomial(n, share.reshape(-1)).reshape(cells, kinds, arms)
    latency = values[..., LATENCY]
    counts = enrolled
    if draw.world.missing or draw.world.missing_per_100ms:
        counts = rng.binomial(enrolled, draw.answer_rate(latency))
    failed = rng.binomial(counts, draw.failure_rate(latency))
    lasting = draw.chances(latency) / (1 - draw.failure_rate(latency))
    converted = rng.binomial(counts - failed, lasting)
    earned, squared, above, beyond = _amounts(draw.world, converted, rng)
    # Decisions that convert differ in the outcome alone.
    sums = np.einsum("cka,cka...->ca...", counts, values)
    products = np.einsum("cka,ckax,ckay->caxy", counts, values, values, optimize=True)
    by_value = np.einsum("cka,ckax->cax", earned, values)
    total = earned.sum(axis=1)
    sums[..., OUTCOME] = total
    products[..., OUTCOME, :] = products[..., :, OUTCOME] = by_value
    products[..., OUTCOME, OUTCOME] = squared.sum(axis=1)
    rows = CellSums(
        minute=np.repeat(draw.minute, arms),
        n=counts.sum(axis=1).reshape(-1),
        sums=sums.reshape(-1, len(VARIABLES)),
        products=products.reshape(-1, len(VARIABLES), len(VARIABLES)),
        answers=Answers(
            cell=np.repeat(np.arange(cells), arms),
            delay_ms=np.tile([delay for _, delay in draw.world.arms], cells),
            enrolled=enrolled.sum(axis=1).reshape(-1),
            enrolled_ms=(enrolled * latency).sum(axis=1).reshape(-1),
            answered=counts.sum(axis=1).reshape(-1),
            answered_ms=(counts * latency).sum(axis=1).reshape(-1),
            failed=failed.sum(axis=1).reshape(-1),
            earning=converted.sum(axis=1).reshape(-1),
            unknown=np.zeros(cells * arms, np.int64),
            beyond=above.sum(axis=1).reshape(-1),
        ),
        cut_off=beyond,
        whole=1 / (1 - beyond),
    )
    # What nobody drew is left out, as `sql/slope_cells.sql` does.
    return rows if draw.world.is_drawn else rows.take(rows.answers.delay_ms == 0)


def _amounts(
    world: World, converted: Ints, rng: np.random.Generator
) -> tuple[Floats, Floats, Floats, float]:
    """Return what sales brought up to the limit, its squares, what is beyond it and its share."""
    if not world.tail:
        ones = converted.astype(np.float64)
        return ones, ones, np.zeros(converted.shape), 0.0
    decision = np.repeat(np.arange(converted.size), converted.reshape(-1))
    usd = _MEAN_USD * (world.tail - 1) / world.tail * (1 + rng.pareto(world.tail, len(decision)))
    counted = np.minimum(usd, np.quantile(usd, COUNTED_WHOLE)) if len(usd) else usd

    def summed(amounts: Floats) -> Floats:
        sums = np.bincount(decision, weights=amounts, minlength=converted.size).astype(np.float64)
        return sums.reshape(converted.shape)

    beyond = 1 - float(counted.sum() / usd.sum()) if len(usd) else 0.0
    return summed(counted), summed(counted**2), summed(usd - counted), beyond


def _loads(world: World, rng: np.random.Generator) -> Floats:
    """Return the load of each minute, of mean 1; with a memory it wanders."""
    if not world.memory:
        return rng.gamma(4.0, 0.25, world.minutes)
    wander = np.zeros(world.minutes)
    fresh = rng.normal(0.0, 0.5 * np.sqrt(1 - world.memory**2), world.minutes)
    for minute in range(world.minutes):
        wander[minute] = world.memory * wander[minute - 1] + fresh[minute]
    return np.exp(wander - 0.125)


def _kinds(world: World) -> Kinds:
    """Return every combination of jitter, network, connection, burst, basket and unit."""
    connections = [(0.7, 0.0, 1.0), (0.3, 60.0, 1.0 - world.hidden)]
    bursts = [(0.9, 0.0, 1.0), (0.1, 25.0, 1.0 + world.surge)]
    baskets = [(0.6, 0.0, 1.0), (0.4, 20.0, 1.0 + world.cart)]
    units = [(6 / 7, 20.0, 1.0), (1 / 7, 0.0, 1.0 + world.regulars)]
    for is_on, each in (
        (world.surge, bursts), (world.cart, baskets), (world.regulars, units),
    ):  # fmt: skip
        if not is_on:
            each.pop()
    rows = [
        (
            jitter[0] * network[0] * connection[0] * burst[0] * basket[0] * unit[0],
            jitter[1] + burst[1] + basket[1],
            network[1] + connection[1] + (unit[1] if world.regulars else 0.0),
            connection[2] * burst[2] * basket[2] * unit[2],
            math.log1p(3.0) if unit is not units[0] else 0.0,
        )
        for jitter, network, connection, burst, basket, unit in itertools.product(
            _JITTER, _NETWORK, connections, bursts, baskets, units
        )
    ]
    share, *rest = np.array(rows).T
    return Kinds(share / share.sum(), *rest)


def _logistic(x: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-np.clip(x, -60.0, 60.0)))
