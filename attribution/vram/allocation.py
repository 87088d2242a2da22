"""Pure: who ranks before whom, and a budget shared out by that, less a reserve.

Two groups tie where their figures are the same as they are shown, to three digits: more is noise.
Of those that tie, owned channels come first: their visitors need not be bought again.

The budget is given in equal steps, each to the group whose figure, over one more than the steps it
has, is the highest (the method of highest averages). The figure is the low end of what the next
millisecond brings, so a group of few sales gets what is sure, and none gets what may be nothing.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction

from collector.core.errors import InputError

OWNED = "owned"
BUDGET_MAX = Decimal(10) ** 12
STEPS_DEFAULT = 100
STEPS_MAX = 10_000
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Ranked:
    """One group, and what it is ranked by."""

    name: str
    kind: str  # paid, owned, "" where nobody says
    usd_per_ms: float  # what the next millisecond brings
    low_usd_per_ms: float  # ... at the low end of its 90 % interval


@dataclass(frozen=True, slots=True)
class Share:
    """What one group gets."""

    name: str
    kind: str
    usd: Decimal
    steps: int


@dataclass(frozen=True, slots=True)
class Allocation:
    """A budget shared out: shares, what nobody gets, and the reserve sum to it."""

    budget_usd: Decimal
    reserve_share: Decimal
    reserve_usd: Decimal
    allocated_usd: Decimal
    unallocated_usd: Decimal  # all of the rest, where no group surely brings anything; else 0
    reason: str  # why, "" where all is allocated
    step_usd: Decimal  # the largest
    shares: Sequence[Share]  # in the order of the ranking


def order(group: Ranked) -> tuple[float, bool, float, str]:
    """Return what ranks groups: ascending, the first brings the most."""
    return (-three(group.usd_per_ms), group.kind != OWNED, -group.usd_per_ms, group.name)


def three(value: float) -> float:
    """Return three digits that count, as figures are shown."""
    return float(f"{value:.3g}")


def allocate(
    groups: Sequence[Ranked],
    budget_usd: Decimal,
    reserve_share: Decimal,
    step_usd: Decimal | None = None,
) -> Allocation:
    """Share out a budget.

    Args:
        groups: those whose value is known.
        budget_usd: in all, to the cent.
        reserve_share: 0 to 1 of it that is kept; a part of a cent is kept too.
        step_usd: the smallest amount that is worth giving; by default a hundredth of what is given.

    Raises:
        InputError: a number that is out of bounds, with the bound.
    """
    if not 0 <= budget_usd < BUDGET_MAX or budget_usd != round(budget_usd, 2):
        raise InputError(f"budget {budget_usd}: is not 0 to {BUDGET_MAX}, to the cent; correct it")
    if not 0 <= reserve_share <= 1:
        raise InputError(f"reserve {reserve_share}: is not a share of 0 to 1; write 0.1 for 10 %")
    reserve = (budget_usd * reserve_share).quantize(_CENT, ROUND_CEILING)
    cents = int((budget_usd - reserve) * 100)
    sizes = _steps(cents, step_usd)
    ranking = sorted(groups, key=order)
    counts = [0] * len(ranking)
    given = [0] * len(ranking)
    weights = [Fraction(str(three(each.low_usd_per_ms))) for each in ranking]
    queue = [
        (-weight, each.kind != OWNED, index)
        for index, (each, weight) in enumerate(zip(ranking, weights, strict=True))
        if weight > 0
    ]
    heapq.heapify(queue)
    for size in sizes if queue else ():
        _, is_paid, index = queue[0]
        counts[index] += 1
        given[index] += size
        heapq.heapreplace(queue, (-weights[index] / (counts[index] + 1), is_paid, index))
    allocated = Decimal(sum(given)) / 100
    rest_usd = budget_usd - reserve - allocated
    return Allocation(
        budget_usd=budget_usd.quantize(_CENT),
        reserve_share=reserve_share,
        reserve_usd=reserve,
        allocated_usd=allocated.quantize(_CENT),
        unallocated_usd=rest_usd.quantize(_CENT),
        reason="" if queue or not rest_usd else "no group brings more than nothing at its low end",
        step_usd=(Decimal(max(sizes, default=0)) / 100).quantize(_CENT),
        shares=[
            Share(each.name, each.kind, (Decimal(usd) / 100).quantize(_CENT), steps)
            for each, usd, steps in zip(ranking, given, counts, strict=True)
        ],
    )


def _steps(cents: int, step_usd: Decimal | None) -> list[int]:
    """Return the steps in cents, which sum to all of them."""
    if not cents:
        return []
    if step_usd is None:
        count = min(STEPS_DEFAULT, cents)
        return [cents // count + (index < cents % count) for index in range(count)]
    if step_usd < _CENT or step_usd != round(step_usd, 2):
        raise InputError(f"step {step_usd}: is not a cent or more; correct it")
    step = int(step_usd * 100)
    if cents > step * STEPS_MAX:
        least = (Decimal(cents) / 100 / STEPS_MAX).quantize(_CENT, ROUND_CEILING)
        raise InputError(f"step {step_usd}: makes over {STEPS_MAX} steps; take {least} or more")
    whole, rest_cents = divmod(cents, step)
    return [step] * whole + [rest_cents] * (rest_cents > 0)
