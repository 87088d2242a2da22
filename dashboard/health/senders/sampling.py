"""I/O: services that send a share of their decisions, which nothing that they send says."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from clickhouse_connect.driver.client import Client

from attribution.core.selection import CALIBRATION_ACTION
from collector.core.sql import sql
from collector.core.times import NS_PER_MINUTE
from dashboard.health.items import SAMPLING, HealthItem, health_item
from dashboard.health.senders.kept_share import kept_share

_TRACES: Final = sql("decided_traces", __file__)
_LOOKED_NS: Final = 10 * NS_PER_MINUTE
_READ_MAX: Final = 20_000


@dataclass(frozen=True, slots=True)
class Sampled:
    """A service that sends a share of its decisions."""

    service: str
    share: float  # below 1
    traces: int  # by which it is told

    @property
    def words(self) -> str:
        """Return the share, two digits of it."""
        return f"about {100 * self.share:.2g} %"

    @property
    def detail(self) -> str:
        """Return what it means and what to do."""
        is_half = abs(self.share - 0.5) < 1 / math.sqrt(self.traces)
        other = ", or what makes them leaves their first bit at 0" if is_half else ""
        return (
            f"{self.service} sends {self.words} of its decisions: the ids of all {self.traces:,} "
            f"traces that were looked at lie in so much of their range, as a head sampler leaves "
            f"them{other}. Nothing is scaled up: counts, rates and money are those of what came. "
            "Send every decision (OTEL_TRACES_SAMPLER=parentbased_always_on): docs/use/send.md"
        )


def sampled(client: Client, now_ns: int) -> list[Sampled]:
    """Return the services that sent a share of their decisions in the last ten minutes.

    None is found that has several callers, of which one sends all of its traces.
    """
    parameters = {
        "after_ns": max(now_ns - _LOOKED_NS, 0),
        "items_max": _READ_MAX,
        "calibration": CALIBRATION_ACTION,
    }
    rows = client.query(_TRACES, parameters=parameters).result_rows
    shares = ((str(service), kept_share(ids), len(ids)) for service, ids in rows)
    return [Sampled(service, share, traces) for service, share, traces in shares if share < 1]


def sampling_items(found: Sequence[Sampled]) -> Iterator[HealthItem]:
    """Yield each service that sends a share of its decisions."""
    for each in found:
        yield health_item(SAMPLING + each.service, each.words, "sent", warn=each.detail)
