"""I/O: `millworth bench ingest`: OTLP bytes to stored, merged rows, beside two rivals.

The unit is spans per second of CPU time of this process, the engine's background threads
included: on a shared machine wall time says more about the neighbours. The sender is a process of
its own. Rivals in the same call: decoding alone (no store), and a Python loop that builds rows
and inserts them, which is what most Python receivers do. The shipped rules on personal data are
on.
"""

from __future__ import annotations

import statistics
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clickhouse_connect.driver.client import Client

from collector.bench.harness import (
    Progress,
    cpu_s,
    medians,
    own_database,
    own_directory,
    p99,
    start_collector,
)
from collector.bench.rivals import decode, insert_in_python
from collector.bench.sender import Protocol, Sender, read_load, write_load
from collector.bench.soak import soak
from collector.bench.spans import SPANS_PER_S, make_requests
from collector.core import log
from collector.core.clock import SystemClock
from collector.core.config import StoreConfig
from collector.core.errors import StoreUnavailableError
from collector.otlp.native.spans import IS_THERE
from collector.service import CollectorService
from collector.store.connect import Connections

SPANS_PER_RUN = 131_072
SPANS_PER_RIVAL_RUN = SPANS_PER_RUN // 4
_OPEN_S = 8.0
_WAIT_S = 0.02
_MERGED = ("otel_traces", "otel_traces_trace_id_ts", "otel_span_skeletons", "decisions")
# Figures of receiving alone: the protocol, and whether the module reads.
_RECEIVING: dict[str, tuple[Protocol, bool]] = {
    "receive_wal_grpc_spans_per_cpu_s": ("grpc", True),
    "receive_wal_http_spans_per_cpu_s": ("http", True),
    "receive_wal_plain_spans_per_cpu_s": ("grpc", False),
}
# Name of a load: spans a request, and whether each eighth is a decision.
_LOADS = {"512": (512, False), "8192": (8192, False), "512_decisions": (512, True)}


class _AwayStore(Connections):
    """A store that nobody reaches, so that what is received stays in the log."""

    def client(self) -> Client:
        """Fail as `connect` does."""
        raise StoreUnavailableError("the store is away, for the benchmark of the log")


def run_ingest(runs: int, progress: Progress, soak_s: float) -> dict[str, float]:
    """Return the figures of DESIGN's `ingest` line, medians of `runs`; the soak is one.

    Spans are read by the compiled module where the installation found a compiler. Keys beside
    those: `is_native`, 1 where that is so; `receive_wal_plain_spans_per_cpu_s`, over gRPC, and
    `spans_per_cpu_s_512_plain`, the same without it; `spans_per_cpu_s_512_decisions`, where each
    eighth span is a decision; the rivals `parse_only_spans_per_cpu_s` and
    `python_loop_spans_per_cpu_s`; `x_python_loop_512` and `_8192`; `ack_p50_ms_30k`;
    `ack_p99_ms_saturated`; of the soak its `soak_s`, the spans it sent a second,
    `soak_ack_p99_ms` and `rss_max_mib`.
    """
    log.configure("error")  # a collector is started 30 times, and two have no store
    with own_directory() as scratch:
        progress("making the load")
        for load, (size, decisions) in _LOADS.items():
            now_ns = SystemClock().now_ns()
            requests = make_requests(1, size, SPANS_PER_RUN, now_ns, decisions=decisions)
            write_load(scratch / load, list(requests))
        results = []
        for number in range(runs):
            results.append(_run(scratch, number))
            text = ", ".join(f"{key} {value:,.1f}" for key, value in results[-1].items())
            progress(f"run {number + 1} of {runs}: {text}")
        progress(f"soak of {soak_s:.0f} s at {SPANS_PER_S} spans/s")
        soaked = soak(scratch / "512", SPANS_PER_S / 512, soak_s, progress)
    return {"is_native": float(IS_THERE), **medians(results), **soaked}


def _run(scratch: Path, number: int) -> dict[str, float]:
    """Return the figures of one run, with the ratios to the rival of the same run."""
    figures: dict[str, float] = {}
    for load in _LOADS:
        rate, p99_ms = _all_in(scratch, number, load)
        figures[f"spans_per_cpu_s_{load}"] = rate
        if load == "512":
            figures["ack_p99_ms_saturated"] = p99_ms
    figures["spans_per_cpu_s_512_plain"], _ = _all_in(scratch, number, "512", accel=False)
    for key, (over, accel) in _RECEIVING.items():
        figures[key] = _log_alone(scratch, number, over, accel=accel)
    figures["ack_p50_ms_30k"], figures["ack_p99_ms_30k"] = _open_loop(scratch, number)
    decoded, looped = _rivals(scratch, number)
    figures["parse_only_spans_per_cpu_s"] = decoded
    figures["python_loop_spans_per_cpu_s"] = looped
    for size in (512, 8192):
        figures[f"x_python_loop_{size}"] = figures[f"spans_per_cpu_s_{size}"] / looped
    return figures


def _all_in(scratch: Path, number: int, load: str, *, accel: bool = True) -> tuple[float, float]:
    """Return the rate of a saturated collector with its merges, and the 99 % time to the answer."""
    name = f"all_{load}_{number}_{accel}"
    with (
        own_database(_url(scratch), name.lower()) as store,
        _collector(store, scratch / f"wal_{name}", accel=accel) as service,
    ):
        sender = Sender(scratch / load, service.grpc_port)
        _wait_stored(service, first := _first(load))
        before_s = cpu_s()
        sender.go()
        times_ms = sender.times_ms()
        _wait_stored(service, first + SPANS_PER_RUN)
        _merge(store.client())
        return SPANS_PER_RUN / (cpu_s() - before_s), p99(times_ms)


def _log_alone(scratch: Path, number: int, over: Protocol, *, accel: bool) -> float:
    """Return the rate of receiving, checking and logging, without a store."""
    away = _AwayStore(StoreConfig(url=_url(scratch), database="away"))
    wal_dir = scratch / f"wal_alone_{number}_{over}_{accel}"
    with _collector(away, wal_dir, accel=accel) as service:
        port = service.grpc_port if over == "grpc" else service.http_port
        sender = Sender(scratch / "512", port, over=over)
        before_s = cpu_s()
        sender.go()
        sender.times_ms()
        return SPANS_PER_RUN / (cpu_s() - before_s)


def _open_loop(scratch: Path, number: int) -> tuple[float, float]:
    """Return the median and 99 % time to the answer at 30,000 spans a second."""
    with (
        own_database(_url(scratch), f"open_{number}") as store,
        _collector(store, scratch / f"wal_open_{number}") as service,
    ):
        rate = SPANS_PER_S / 512
        sender = Sender(scratch / "512", service.grpc_port, requests_per_s=rate, seconds=_OPEN_S)
        sender.go()
        times_ms = sender.times_ms()
        return statistics.median(times_ms), p99(times_ms)


def _rivals(scratch: Path, number: int) -> tuple[float, float]:
    """Return the rates of decoding alone and of a Python loop with its merge."""
    requests = read_load(scratch / "512")[: SPANS_PER_RIVAL_RUN // 512]
    before_s = cpu_s()
    decode(requests)
    decoded_s = cpu_s() - before_s
    with own_database(_url(scratch), f"loop_{number}") as store:
        before_s = cpu_s()
        insert_in_python(store.client(), requests)
        _merge(store.client())
        looped_s = cpu_s() - before_s
    return SPANS_PER_RIVAL_RUN / decoded_s, SPANS_PER_RIVAL_RUN / looped_s


def _first(load: str) -> int:
    """Return the spans of the request that opens the sender's connection."""
    return _LOADS[load][0]


def _wait_stored(service: CollectorService, spans: int) -> None:
    waiting = threading.Event()
    while service.status().spans_stored < spans:
        waiting.wait(_WAIT_S)


def _merge(client: Client) -> None:
    for table in _MERGED:
        client.command("OPTIMIZE TABLE {table:Identifier} FINAL", {"table": table})


def _url(scratch: Path) -> str:
    return f"chdb://{scratch / 'store'}"


@contextmanager
def _collector(
    store: Connections, wal_dir: Path, *, accel: bool = True
) -> Iterator[CollectorService]:
    service = start_collector(store, wal_dir, accel=accel)
    yield service
    service.stop(drain_seconds=0 if isinstance(store, _AwayStore) else 30)
