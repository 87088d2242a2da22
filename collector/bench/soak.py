"""I/O: the soak of `millworth bench ingest`: whether a collector's memory stays as it is.

The collector is a process of its own, so that nothing of other measurements is in its memory, and
nothing that they left warm hides growth.
"""

from __future__ import annotations

import multiprocessing
import statistics
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from collector.bench.sender import Sender
from collector.core import log
from collector.core.clock import NS_PER_S, SystemClock
from collector.core.config import (
    AttributesConfig,
    CollectorConfig,
    DecisionsConfig,
    OutcomesConfig,
    StoreConfig,
)
from collector.core.counters import Counters
from collector.service import CollectorService
from collector.store.connect import Connections
from collector.store.schema.migrate import apply_views, migrate

# Of the time, before growth counts: caches fill, the first merges run.
_WARM_UP_SHARE = 0.2
_SAMPLE_S = 1.0
_REPORT_S = 30.0
_MIB = 2**20


def soak(
    load: Path, requests_per_s: float, seconds: float, progress: Callable[[str], None]
) -> dict[str, float]:
    """Send at a fixed rate; return how resident memory went.

    `rss_growth_mib` is the median of the last fifth less that of the second one: the first is
    warm-up.
    """
    ours, theirs = multiprocessing.Pipe()
    collector = multiprocessing.get_context("spawn").Process(
        target=_collect, args=(theirs, load.parent / "soak"), daemon=True
    )
    collector.start()
    theirs.close()  # so that an end of the process is heard
    port: int = ours.recv()
    sender = Sender(load, port, requests_per_s=requests_per_s, seconds=seconds)
    sender.go()
    clock = SystemClock()
    waiting = threading.Event()
    rss: list[int] = []
    began_ns = clock.monotonic_ns()
    while (past_s := (clock.monotonic_ns() - began_ns) / NS_PER_S) < seconds:
        rss.append(_resident_bytes(collector.pid))
        if len(rss) % round(_REPORT_S / _SAMPLE_S) == 0:
            progress(f"soak: {past_s:.0f} of {seconds:.0f} s, {rss[-1] / _MIB:.0f} MiB")
        waiting.wait(_SAMPLE_S)
    times_ms = sender.times_ms()
    ours.send("stop")
    stored: int = ours.recv()
    collector.join()
    return {
        "rss_growth_mib": growth_bytes(rss) / _MIB,
        "rss_max_mib": max(rss) / _MIB,
        "soak_s": seconds,
        "soak_requests": len(times_ms),
        "soak_spans_stored": stored,
        "soak_ack_p99_ms": times_ms[int(len(times_ms) * 0.99)],
    }


def growth_bytes(samples: list[int]) -> float:
    """Return how much the last fifth of samples lies above the second one, median by median."""
    fifth = max(1, round(len(samples) * _WARM_UP_SHARE))
    return statistics.median(samples[-fifth:]) - statistics.median(
        samples[fifth : 2 * fifth] or samples[:fifth]
    )


def _collect(pipe: Connection, directory: Path) -> None:
    log.configure("error")
    directory.mkdir()
    store = Connections(StoreConfig(url=f"chdb://{directory / 'store'}"))
    now_ns = SystemClock().now_ns()
    migrate(store.client(), now_ns)
    apply_views(store.client(), AttributesConfig(), DecisionsConfig(), OutcomesConfig(), now_ns)
    config = CollectorConfig(grpc_port=0, http_port=0)
    service = CollectorService(config, store, directory / "wal", Counters(), SystemClock())
    service.start()
    pipe.send(service.grpc_port)
    pipe.recv()
    service.stop(drain_seconds=60)
    pipe.send(service.status().spans_stored)


def _resident_bytes(pid: int | None) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0
