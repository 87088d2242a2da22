"""Pure: the reference path in simulated time: its customers, offers and sales; waits are drawn.

What the live path waits for is drawn here: each segment's usual time, longer by load and by jitter,
and the delay of an experiment by the very hash that services use. One thing is added that the live
path has not: customers with a poor connection wait longer on the network and buy less, and nothing
that a decision carries tells them apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from collector.core.assignment import unit_digest
from collector.core.times import NS_PER_MS
from collector.instrument.delay import ActiveArm, ActiveExperiment
from dashboard.reference.scenario import BASE_MS
from dashboard.reference.world import Offer, World, eligible, margin_per_ms_usd

EXPERIMENT: Final = ActiveExperiment(
    name="reference",
    to_ns=2**62,
    arms=(
        ActiveArm("slow40", 0.1, 40 * NS_PER_MS),
        ActiveArm("slow80", 0.1, 80 * NS_PER_MS),
        ActiveArm("control", 0.8, 0),
    ),
    actions=frozenset(),
    targets=(),
)
_NETWORK: Final = "egress/network"
_JITTER_SHAPE: Final = 4.0  # of each segment: a standard deviation of half its mean


@dataclass(frozen=True, slots=True)
class SimulatedDecision:
    """One decision as it would be stored, and what it earned."""

    minute: int
    region: str
    channel: str
    cohort: str
    offer_type: str
    arm: str
    unit: str  # whom it was drawn for
    injected_ms: float
    backend_ms: float  # computing and store, the injected delay included
    network_ms: float
    margin_micros: int  # millionths of a USD
    true_usd_per_ms: float  # change of its expected margin a ms; nobody else knows it


def simulate(
    seed: int, decisions: int, minutes: int, first_minute: int = 0
) -> list[SimulatedDecision]:
    """Return the decisions of one seed, in order of time.

    Args:
        seed: of the world and of the decisions.
        decisions: in all.
        minutes: over which they are spread.
        first_minute: since the Unix epoch, which the arms are drawn by.

    Load moves arrivals, the back end and intent alike from minute to minute, as in the evening.
    """
    dice, world = np.random.default_rng(seed), World(seed)
    load = dice.gamma(4.0, 0.25, minutes)
    minute_of = np.sort(dice.choice(minutes, decisions, p=load / load.sum()))
    base = np.array([each for name, each in BASE_MS.items() if name != _NETWORK])
    jitter = dice.gamma(_JITTER_SHAPE, 1 / _JITTER_SHAPE, (decisions, len(base))) @ base
    wire = BASE_MS[_NETWORK] * dice.gamma(_JITTER_SHAPE, 1 / _JITTER_SHAPE, decisions)
    found = []
    for number, minute in enumerate(minute_of.tolist()):
        visit = world.visit(number)
        cohort, connection = world.cohort(visit.customer_id), world.connection(visit.customer_id)
        offer = best_offer(visit.customer_id)
        unit = unit_digest(EXPERIMENT.name, visit.customer_id)
        arm = EXPERIMENT.arm(unit, first_minute + minute)
        injected_ms = arm.delay_ns / NS_PER_MS
        backend_ms = float(jitter[number] * (0.5 + 0.5 * load[minute])) + injected_ms
        network_ms = float(wire[number]) + connection.network_ms
        intent = connection.intent + 0.3 * float(load[minute] - 1)
        kind = (visit.channel, visit.region, cohort, offer.offer_type)
        latency_ms = backend_ms + network_ms
        sale = world.sale(number, visit, cohort, offer.offer_type, latency_ms, intent)
        found.append(
            SimulatedDecision(
                minute,
                visit.region,
                visit.channel,
                cohort,
                offer.offer_type,
                arm.name,
                unit,
                injected_ms,
                backend_ms,
                network_ms,
                int(sale.margin_usd * 1_000_000),
                margin_per_ms_usd(*kind, latency_ms, intent),
            )
        )
    return found


def best_offer(customer_id: str) -> Offer:
    """Return the offer that the path makes: the highest margin that the shop expects."""
    return max(
        eligible(customer_id), key=lambda each: float(each.margin_usd) * each.conversion_rate
    )
