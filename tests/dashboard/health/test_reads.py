from __future__ import annotations

from collector.core.counters import Counters
from dashboard.health.reads import read_items


def test_health_names_those_who_read_most() -> None:
    """An operator sees what scans, and does not scroll through every route."""
    counters = Counters()
    for number in range(15):
        counters.count_read(f"route /api/v1/{number}", number * 1_000, number * 2**20, 10**6)
    counters.count_read("job slope", 40_000_000, 3 * 2**30, 10**9)
    items = list(read_items(counters))
    assert [each.name for each in items][:2] == ["read.job slope", "read.route /api/v1/14"]
    assert (items[0].value, items[0].unit, items[0].status) == (40_000_000, "rows", "ok")
    assert "3,072.0 MiB" in items[0].detail
    assert len(items) == 10
