"""Pure: a world in which the slope is known, and what hides it can be switched on; seeded.

Every variable of a decision has finitely many values, so a decision is of one of some dozen kinds.
How many of each kind a cell holds is multinomial, how many of those convert is binomial: cell sums
drawn that way have exactly the distribution of sums over drawn rows, at a cost that does not grow
with the number of decisions. The tests draw the same world row by row, for the proof.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from attribution.path.spans import Ints
from attribution.sensitivity.sums import BACKEND, INJECTED, LATENCY, OUTCOME, CellSums, Floats

# Share of decisions and delay in ms of each arm: 90 % are left alone.
ARMS = ((0.90, 0.0), (0.05, 40.0), (0.05, 80.0))
# A right-skewed back end, standard deviation 14 ms.
_JITTER = ((0.35, 20.0), (0.30, 28.0), (0.20, 38.0), (0.10, 52.0), (0.05, 75.0))
_NETWORK = ((0.5, 20.0), (0.5, 40.0))


@dataclass(frozen=True, slots=True)
class World:
    """What holds in a simulated shop; outcomes are conversions, latency in ms."""

    decisions: float  # expected, in all
    minutes: int = 120
    cohorts: int = 4
    conversion: float = 0.03  # at no latency, before any of the below
    relative_per_ms: float = 5e-5  # 0.5 % per 100 ms
    spread_per_ms: float = 0.0  # standard deviation of the above between cohorts
    zipf: float = 0.0  # cohort k has a share proportional to k^-zipf
    hidden: float = 0.0  # a poor connection costs 60 ms of network and this share of intent
    surge: float = 0.0  # in bursts of seconds, 25 ms more back end and this much more intent


@dataclass(frozen=True, slots=True)
class Kinds:
    """The kinds of decision and how likely each is."""

    share: Floats
    backend_ms: Floats
    network_ms: Floats
    injected_ms: Floats
    intent: Floats  # factor on conversion


@dataclass(frozen=True, slots=True)
class Draw:
    """One world: cells of cohort x minute, and the truth about them."""

    minute: Ints
    cohort: Ints
    expected: Floats  # decisions of each cell
    load_ms: Floats  # added to the back end of each cell
    rate: Floats  # conversion at no latency, before intent
    theta: Floats  # relative effect per ms, by cohort
    kinds: Kinds

    def values(self) -> Floats:
        """Return the variables but the outcome, which is 0, cells x kinds x 4."""
        kinds = self.kinds
        values = np.zeros((len(self.minute), len(kinds.share), 4))
        values[:, :, BACKEND] = self.load_ms[:, None] + kinds.backend_ms + kinds.injected_ms
        values[:, :, LATENCY] = values[:, :, BACKEND] + kinds.network_ms
        values[:, :, INJECTED] = kinds.injected_ms
        return values

    def chances(self) -> Floats:
        """Return the chance that a decision converts, cells x kinds."""
        latency = self.values()[:, :, LATENCY]
        chances: Floats = (
            self.rate[:, None]
            * self.kinds.intent
            * np.exp(-self.theta[self.cohort][:, None] * latency)
        )
        return chances

    def truth(self) -> float:
        """Return the mean change of conversion per ms over all decisions."""
        slopes = -self.theta[self.cohort] * (self.chances() @ self.kinds.share)
        return float(slopes @ self.expected / self.expected.sum())


def draw_world(world: World, rng: np.random.Generator) -> Draw:
    """Draw loads, sizes and slopes."""
    cohort, minute = (
        each.reshape(-1) for each in np.indices((world.cohorts, world.minutes), np.int64)
    )
    size = np.arange(1, world.cohorts + 1, dtype=np.float64) ** -world.zipf
    # Load lifts the back end, demand and intent alike: what plain regression mistakes for effect.
    load = rng.gamma(4.0, 0.25, world.minutes)[minute]
    expected = size[cohort] * load
    taste = rng.uniform(0.7, 1.3, world.cohorts)[cohort]
    return Draw(
        minute=minute,
        cohort=cohort,
        expected=expected * (world.decisions / expected.sum()),
        load_ms=15.0 * load,
        rate=world.conversion * taste * (0.8 + 0.2 * load),
        theta=rng.normal(world.relative_per_ms, world.spread_per_ms, world.cohorts),
        kinds=_kinds(world),
    )


def draw_cells(draw: Draw, rng: np.random.Generator) -> CellSums:
    """Draw the sums of every cell, in the order of `draw`."""
    n = rng.poisson(draw.expected)
    counts = rng.multinomial(n, draw.kinds.share)
    converted = rng.binomial(counts, draw.chances())
    values = draw.values()
    # Decisions that convert differ in the outcome alone.
    sums = np.einsum("ck,cka->ca", counts, values)
    products = np.einsum("ck,cka,ckb->cab", counts, values, values, optimize=True)
    earned = np.einsum("ck,cka->ca", converted, values)
    total = converted.sum(axis=1)
    sums[:, OUTCOME] = total
    products[:, OUTCOME, :] = products[:, :, OUTCOME] = earned
    products[:, OUTCOME, OUTCOME] = total
    return CellSums(draw.minute, n, sums, products)


def _kinds(world: World) -> Kinds:
    """Return every combination of arm, jitter, network, connection and burst."""
    connections = ((0.7, 0.0, 1.0), (0.3, 60.0, 1.0 - world.hidden))
    bursts = [(0.9, 0.0, 1.0), (0.1, 25.0, 1.0 + world.surge)]
    if not world.surge:
        bursts.pop()
    rows = [
        (
            arm[0] * jitter[0] * network[0] * connection[0] * burst[0],
            jitter[1] + burst[1],
            network[1] + connection[1],
            arm[1],
            connection[2] * burst[2],
        )
        for arm, jitter, network, connection, burst in itertools.product(
            ARMS, _JITTER, _NETWORK, connections, bursts
        )
    ]
    share, *rest = np.array(rows).T
    return Kinds(share / share.sum(), *rest)
