"""Pure: latency tiers: what the next millisecond brings, and what it costs, down to the crossing.

Each tier is one target latency. From one tier to the next faster, the marginal revenue is the gain
in expected revenue velocity a year for each millisecond; the marginal cost is the further capital,
spread over its life at the discount rate, and the further opex, for each millisecond.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from itertools import pairwise

from attribution.invest.npv import cents

_PRECISION = 40


@dataclass(frozen=True, slots=True)
class Tier:
    """One target, and what it takes to be there."""

    latency_ms: Decimal
    erv_usd_per_year: Decimal  # expected revenue velocity
    capex_usd: Decimal  # in all, from nothing
    opex_usd_per_year: Decimal


@dataclass(frozen=True, slots=True)
class Step:
    """From one tier to the next faster one."""

    from_ms: Decimal
    to_ms: Decimal
    revenue_usd_per_ms: Decimal  # a year
    cost_usd_per_ms: Decimal  # a year
    pays: bool


@dataclass(frozen=True, slots=True)
class TierTable:
    """Every step, and where to stop; None where the first step does not pay."""

    steps: tuple[Step, ...]
    stop_ms: Decimal | None


def recovery_factor(rate: Decimal, years: int) -> Decimal:
    """Return the share of a capital that its owner has to get back each year."""
    with localcontext() as context:
        context.prec = _PRECISION
        if rate == 0:
            return Decimal(1) / years
        grown = (1 + rate) ** years
        return rate * grown / (grown - 1)


def tier_table(tiers: Sequence[Tier], rate: Decimal, years: int) -> TierTable:
    """Compare each tier with the one before it, the slowest first.

    A later step that would pay by itself is not reached once one before it does not.

    Raises:
        ValueError: fewer than two tiers, or two of one latency.
    """
    ordered = sorted(tiers, key=lambda tier: -tier.latency_ms)
    if len(ordered) < 2:
        raise ValueError("a table needs two tiers or more")
    factor = recovery_factor(rate, years)
    steps = []
    with localcontext() as context:
        context.prec = _PRECISION
        for slower, faster in pairwise(ordered):
            width = slower.latency_ms - faster.latency_ms
            if width == 0:
                raise ValueError(f"two tiers at {faster.latency_ms} ms; keep one")
            revenue = (faster.erv_usd_per_year - slower.erv_usd_per_year) / width
            capital = (faster.capex_usd - slower.capex_usd) * factor
            cost = (capital + faster.opex_usd_per_year - slower.opex_usd_per_year) / width
            steps.append(
                Step(
                    slower.latency_ms,
                    faster.latency_ms,
                    cents(revenue),
                    cents(cost),
                    revenue >= cost,
                )
            )
    stop = None
    for step in steps:
        if not step.pays:
            break
        stop = step.to_ms
    return TierTable(tuple(steps), stop)
