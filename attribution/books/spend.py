"""I/O: what the visitors of a channel cost, by the days that were imported.

A sum over days of which one is missing is less than what was paid, and so it is no sum: it is
unknown, and the days that are missing are named.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from attribution.core.config import AttributionConfig
from collector.core.sql import sql
from collector.store.connect import Connections

_HUNDREDTH = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class SpendDay:
    """One day of one channel, all sources together; None is unknown."""

    day_ns: int
    clicks: int | None
    cost: Decimal | None  # in `attribution.currency`
    unconverted: Sequence[str] = ()  # currencies without a rate


@dataclass(slots=True)
class Spend:
    """What one channel cost in a time."""

    days: dict[int, SpendDay] = field(default_factory=dict)
    quality_sum: float = 0.0
    quality_weight: float = 0.0

    @property
    def clicks(self) -> int | None:
        """Return all clicks; None where a day does not say."""
        counts = [each.clicks for each in self.days.values()]
        stated = [each for each in counts if each is not None]
        return sum(stated) if stated and len(stated) == len(counts) else None

    @property
    def quality_score(self) -> Decimal | None:
        """Return the mean of the scores, by clicks."""
        if not self.quality_weight:
            return None
        return Decimal(self.quality_sum / self.quality_weight).quantize(_HUNDREDTH)

    def missing(self, needed: Collection[int]) -> list[int]:
        """Return the days without a known cost: of those that are needed, and of those imported."""
        unknown = {each.day_ns for each in self.days.values() if each.cost is None}
        return sorted(unknown | {day for day in needed if day not in self.days})

    def cost(self, needed: Collection[int]) -> Decimal | None:
        """Return what was paid; None where a day that is needed says nothing."""
        if not self.days or self.missing(needed):
            return None
        return sum((each.cost for each in self.days.values() if each.cost is not None), Decimal(0))

    @property
    def unconverted(self) -> list[str]:
        """Return the currencies that lack a rate."""
        return sorted({code for each in self.days.values() for code in each.unconverted})


def read_spend(
    store: Connections, config: AttributionConfig, from_ns: int, to_ns: int
) -> dict[str, Spend]:
    """Return what channels cost on the days that begin in [from, to), by channel."""
    rows = (
        store.client()
        .query(
            sql("channel_days", __file__),
            parameters={
                "from_ns": from_ns,
                "to_ns": to_ns,
                "currency": config.currency,
                "rate_days": config.rate_days_max,
            },
        )
        .result_rows
    )
    by_channel: dict[str, Spend] = {}
    for channel, day_ns, clicks, cost, unconverted, quality_sum, weight in rows:
        spend = by_channel.setdefault(channel, Spend())
        spend.days[day_ns] = SpendDay(day_ns, clicks, cost, tuple(unconverted))
        spend.quality_sum += quality_sum
        spend.quality_weight += weight
    return by_channel
