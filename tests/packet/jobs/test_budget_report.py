from __future__ import annotations

import numpy as np

from collector.core.clock import SystemClock
from collector.core.config import AttributesConfig
from collector.core.counters import Counters
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from packet.jobs.budget_report import Meter
from packet.sampling.byte_budget import ByteBudget, Tier
from packet.store.reader import Reader
from packet.store.writer import Writer

# What the store keeps expires by the machine's own clock, so a test's time is near it.
_T = (SystemClock().now_ns() // NS_PER_S - 600) * NS_PER_S
_SUMS = "SELECT sum(seen_bytes), sum(dumped_bytes), count() FROM packet_budget FINAL"


def test_what_flows_is_written_now_and_then_and_what_an_incident_keeps_at_once(
    store: Connections,
) -> None:
    """Rows add up to all that was counted, however many passes one stands for."""
    budget = ByteBudget(ratio=0.1, burst_bytes=1_000_000, left_bytes=1_000_000)
    meter = Meter(budget, Writer(store), Counters())

    def written_after(at_s: int) -> tuple[int, int, int]:
        budget.see(1_000)
        meter.write(_T + at_s * NS_PER_S)
        (row,) = store.client().query(_SUMS).result_rows
        return tuple(row)

    assert written_after(0) == (1_000, 0, 1)
    assert written_after(2) == (1_000, 0, 1)
    assert written_after(10) == (3_000, 0, 2)
    budget.take(Tier.DUMPED, np.array([500], np.int64))
    assert written_after(12) == (4_000, 500, 3)
    assert Reader(store, AttributesConfig()).budget_left() == budget.left_bytes
