"""I/O: a collector in a process of its own, which hostile senders cannot take a bench down with.

    python -m collector.bench.hostile.child DIRECTORY

It says its ports, one JSON object a line, and for each line that it is told, what is in the store
once everything acknowledged is; it stops where its input ends.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from collector.bench.harness import prepare, rss_mib, say, start_collector
from collector.core.config import StoreConfig
from collector.core.log import configure
from collector.core.sql import sql
from collector.store.connect import Connections
from collector.write.allocator import return_large_blocks

NEIGHBOURS = sql("hostile_neighbours", __file__)
_FLUSH_S = 3600.0


def main(directory: Path) -> None:
    """Collect until the input ends."""
    return_large_blocks()
    configure("error")  # to standard error; standard output is for the other process
    store = Connections(StoreConfig(url=f"chdb://{directory / 'store'}"))
    prepare(store)
    service = start_collector(store, directory / "wal")
    say({"grpc": service.grpc_port, "http": service.http_port, "rss_mib": rss_mib()})
    for _ in sys.stdin:
        is_drained = service.flush(_FLUSH_S)
        rows = store.client().query(NEIGHBOURS).result_rows
        say(
            {
                "drained": is_drained,
                "status": dataclasses.asdict(service.status()),
                "rows": rows,
                "rss_mib_after": rss_mib(),
                "rss_mib_peak": _peak_mib(),
            }
        )
    service.stop(_FLUSH_S)


def _peak_mib() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main(Path(sys.argv[1]))
