"""I/O: what a service says of itself at an instant: CPU, rows read, how far it is behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families

from collector.core.clock import SystemClock
from dashboard.bench.process_figures import cpu_by_thread_s
from dashboard.bench.served import Served


@dataclass(frozen=True, slots=True)
class Look:
    """What `/metrics` says at an instant, with the CPU time of the service."""

    at_ns: int
    cpu_s: float
    behind_s: Mapping[str, float]  # by stage
    rows: Mapping[str, float]  # by who asked

    @property
    def rows_read(self) -> float:
        """Return rows that all have read."""
        return sum(self.rows.values())

    def rows_asked_since(self, before: Look) -> float:
        """Return rows that routes and pages, and not jobs, have read since another look."""
        return sum(
            rows - before.rows.get(asker, 0.0)
            for asker, rows in self.rows.items()
            if not asker.startswith("job ")
        )


def look(service: Served) -> Look:
    """Return what a service says of itself now."""
    text = httpx.get(f"{service.pages}/metrics", trust_env=False, timeout=60).text
    behind, rows = dict[str, float](), dict[str, float]()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "millworth_stage_behind_seconds":
                behind[sample.labels["stage"]] = sample.value
            elif sample.name == "millworth_store_read_rows_total":
                rows[sample.labels["asker"]] = sample.value
    return Look(SystemClock().monotonic_ns(), cpu_by_thread_s(service.pid)[""], behind, rows)
