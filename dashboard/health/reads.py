"""Pure: who read most of what is stored, as figures of the Health page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prometheus_client import Counter

from collector.core.counters import Counters
from dashboard.health.items import HealthItem

_SHOWN: Final = 10


def read_items(counters: Counters) -> Iterator[HealthItem]:
    """Yield rows by who asked since the start, those who read most."""
    rows, read = _by_asker(counters.store_read_rows), _by_asker(counters.store_read_bytes)
    for asker in sorted(rows, key=lambda each: -rows[each])[:_SHOWN]:
        detail = f"read from the store since the start, {read.get(asker, 0) / 2**20:,.1f} MiB"
        yield HealthItem(f"read.{asker}", rows[asker], "rows", "ok", detail)


def _by_asker(counter: Counter) -> dict[str, int]:
    return {
        sample.labels["asker"]: int(sample.value)
        for metric in counter.collect()
        for sample in metric.samples
        if sample.name.endswith("_total") and sample.value
    }
