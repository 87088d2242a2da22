"""What telemetry shows of debt, from every span and log record of a window."""

from __future__ import annotations

from attribution.invest.debt_found import READS, WRITES, CacheSeen, FlagSeen, RuntimeSeen
from attribution.invest.debt_job import caches_seen, flags_seen, runtimes_seen
from attribution.jobs.observed import read_observed
from collector.core.sql import sql
from collector.store.connect import Connections

Seen = tuple[list[RuntimeSeen], list[FlagSeen], list[CacheSeen]]


def seen_by_row(store: Connections, from_ns: int, to_ns: int) -> Seen:
    """Return runtimes, flags and caches, from the maps of all spans."""
    parameters = {"from_ns": from_ns, "to_ns": to_ns, "reads": list(READS), "writes": list(WRITES)}
    runtimes, flags, caches = (
        store.client().query(sql(name, __file__), parameters=parameters).result_rows
        for name in ("debt_runtimes", "debt_flags", "debt_caches")
    )
    return (
        [RuntimeSeen(*row) for row in runtimes],
        [FlagSeen(*row) for row in flags],
        [CacheSeen(*row) for row in caches],
    )


def seen_by_hour(store: Connections, from_ns: int, to_ns: int) -> Seen:
    """Return the same from sums by hour."""
    found = read_observed(store, from_ns, to_ns)
    return runtimes_seen(found["runtime"]), flags_seen(found["flag"]), caches_seen(found["cache"])
