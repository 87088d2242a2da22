"""I/O: the soak of `millworth bench ingest`: whether a collector's memory stays as it is.

The collector is a process of its own, so that nothing of other measurements is in its memory, and
nothing that they left warm hides growth.
"""

from __future__ import annotations

import statistics
import threading
from multiprocessing.connection import Connection
from pathlib import Path

from collector.bench.harness import MIB, Progress, p99, prepare, start_collector, start_function
from collector.bench.sender import Sender
from collector.core import log
from collector.core.clock import SystemClock
from collector.core.config import StoreConfig
from collector.core.times import NS_PER_S
from collector.store.connect import Connections

# Of the time, before growth counts: caches fill, the first merges run.
_WARM_UP_SHARE = 0.2
_SAMPLE_S = 1.0
_REPORT_S = 30.0


def soak(load: Path, requests_per_s: float, seconds: float, progress: Progress) -> dict[str, float]:
    """Send at a fixed rate; return how resident memory went.

    `rss_growth_mib` is the median of the last fifth less that of the second one: the first is
    warm-up.
    """
    ours, collector = start_function(_collect, load.parent / "soak")
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
            progress(f"soak: {past_s:.0f} of {seconds:.0f} s, {rss[-1] / MIB:.0f} MiB")
        waiting.wait(_SAMPLE_S)
    times_ms = sender.times_ms()
    ours.send("stop")
    stored: int = ours.recv()
    collector.join()
    return {
        "rss_growth_mib": growth_bytes(rss) / MIB,
        "rss_max_mib": max(rss) / MIB,
        "soak_s": seconds,
        "soak_requests": len(times_ms),
        "soak_spans_stored": stored,
        "soak_ack_p99_ms": p99(times_ms),
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
    prepare(store)
    service = start_collector(store, directory / "wal")
    pipe.send(service.grpc_port)
    pipe.recv()
    service.stop(drain_seconds=60)
    pipe.send(service.status().spans_stored)


def _resident_bytes(pid: int | None) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0
