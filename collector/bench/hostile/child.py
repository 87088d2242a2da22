"""I/O: a collector in a process of its own, which hostile senders cannot take a bench down with.

    python -m collector.bench.hostile.child DIRECTORY

It says its ports, one JSON object a line, and for each line that it is told, what is in the store
once everything acknowledged is; it stops where its input ends.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from pathlib import Path

from collector.core.allocator import return_large_blocks
from collector.core.clock import SystemClock
from collector.core.config import (
    AttributesConfig,
    CollectorConfig,
    DecisionsConfig,
    OutcomesConfig,
    StoreConfig,
)
from collector.core.counters import Counters
from collector.core.log import configure
from collector.core.sql import sql
from collector.service import CollectorService
from collector.store.connect import Connections
from collector.store.schema.migrate import apply_views, migrate

NEIGHBOURS = sql("hostile_neighbours", __file__)
_FLUSH_S = 3600.0
_MIB = 1024 * 1024


def main(directory: Path) -> None:
    """Collect until the input ends."""
    return_large_blocks()
    configure("error")  # to standard error; standard output is for the other process
    store = Connections(StoreConfig(url=f"chdb://{directory / 'store'}"))
    now_ns = SystemClock().now_ns()
    migrate(store.client(), now_ns)
    apply_views(store.client(), AttributesConfig(), DecisionsConfig(), OutcomesConfig(), now_ns)
    service = CollectorService(
        CollectorConfig(grpc_port=0, http_port=0),
        store,
        directory / "wal",
        Counters(),
        SystemClock(),
    )
    service.start()
    _say({"grpc": service.grpc_port, "http": service.http_port, "rss_mib": _rss_mib()})
    for _ in sys.stdin:
        is_drained = service.flush(_FLUSH_S)
        rows = store.client().query(NEIGHBOURS).result_rows
        _say(
            {
                "drained": is_drained,
                "status": dataclasses.asdict(service.status()),
                "rows": rows,
                "rss_mib_after": _rss_mib(),
                "rss_mib_peak": _peak_mib(),
            }
        )
    service.stop(_FLUSH_S)


def _rss_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / _MIB


def _peak_mib() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _say(message: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
