"""I/O: `millworth bench ingest`: OTLP bytes to stored, merged rows, beside two rivals.

The unit is spans per second of CPU time of this process, the engine's background threads
included: on a shared machine wall time says more about the neighbours. The sender is a process of
its own. Rivals in the same call: decoding alone (no store), and a Python loop that builds rows
and inserts them, which is what most Python receivers do. The shipped rules on personal data are
on.
"""

from __future__ import annotations

import resource
import statistics
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from clickhouse_connect.driver.client import Client

from collector.bench.rivals import decode, insert_in_python
from collector.bench.sender import Sender, read_load, write_load
from collector.bench.soak import soak
from collector.bench.spans import SPANS_PER_S, make_requests
from collector.core import log
from collector.core.clock import SystemClock
from collector.core.config import (
    AttributesConfig,
    CollectorConfig,
    DecisionsConfig,
    OutcomesConfig,
    StoreConfig,
)
from collector.core.counters import Counters
from collector.core.errors import StoreUnavailableError
from collector.receive.fastpath import scanner as otlp_plain
from collector.service import CollectorService
from collector.store.connect import Connections
from collector.store.schema.migrate import apply_views, migrate

SPANS_PER_RUN = 131_072
SPANS_PER_RIVAL_RUN = SPANS_PER_RUN // 4
_OPEN_S = 8.0
_WAIT_S = 0.02
_MERGED = ("otel_traces", "otel_traces_trace_id_ts", "decisions")
_CHECKS = {"receive_wal_spans_per_cpu_s": True, "receive_wal_plain_spans_per_cpu_s": False}
# Name of a load: spans a request, and whether each eighth is a decision.
_LOADS = {"512": (512, False), "8192": (8192, False), "512_decisions": (512, True)}


class _AwayStore(Connections):
    """A store that nobody reaches, so that what is received stays in the log."""

    def client(self) -> Client:
        """Fail as `connect` does."""
        raise StoreUnavailableError("the store is away, for the benchmark of the log")


def run_ingest(runs: int, progress: Callable[[str], None], soak_s: float) -> dict[str, float]:
    """Return the figures of DESIGN's `ingest` line, medians of `runs`; the soak is one.

    Spans are checked by compiled code where the extra `accel` is installed, as a service does after
    its first 50,000. Keys beside those: `is_accelerated`, 1 where that is so;
    `receive_wal_plain_spans_per_cpu_s`, the same without it;
    `spans_per_cpu_s_512_decisions`, where each eighth span is a decision; the
    rivals `parse_only_spans_per_cpu_s` and `python_loop_spans_per_cpu_s`; `x_python_loop_512` and
    `_8192`; `ack_p50_ms_30k`; `ack_p99_ms_saturated`; of the soak its `soak_s`, the spans it sent a
    second, `soak_ack_p99_ms` and `rss_max_mib`.
    """
    log.configure("error")  # a collector is started 30 times, and two have no store
    is_accelerated = find_spec("numba") is not None
    if is_accelerated:
        progress("compiling")
        otlp_plain.load()
    samples: dict[str, list[float]] = {}

    def note(key: str, value: float) -> None:
        samples.setdefault(key, []).append(value)

    with tempfile.TemporaryDirectory(prefix="millworth-bench-", ignore_cleanup_errors=True) as name:
        scratch = Path(name)
        progress("making the load")
        for load, (size, decisions) in _LOADS.items():
            now_ns = SystemClock().now_ns()
            requests = make_requests(1, size, SPANS_PER_RUN, now_ns, decisions=decisions)
            write_load(scratch / load, list(requests))
        for number in range(runs):
            label = f"run {number + 1} of {runs}"
            for load in _LOADS:
                rate, p99_ms = _all_in(scratch, number, load)
                progress(f"{label}: {rate:,.0f} spans a CPU second, load {load}")
                note(f"spans_per_cpu_s_{load}", rate)
                if load == "512":
                    note("ack_p99_ms_saturated", p99_ms)
            for key, accel in _CHECKS.items():
                rate = _log_alone(scratch, number, accel=accel)
                progress(f"{label}: {rate:,.0f} spans a CPU second, log alone, accel {accel}")
                note(key, rate)
            p50_ms, p99_ms = _open_loop(scratch, number)
            progress(f"{label}: {p99_ms:.1f} ms to the answer at 30,000 spans/s (99 %)")
            note("ack_p50_ms_30k", p50_ms)
            note("ack_p99_ms_30k", p99_ms)
            rival = _rivals(scratch, number)
            progress(f"{label}: rivals {rival[0]:,.0f} and {rival[1]:,.0f}")
            note("parse_only_spans_per_cpu_s", rival[0])
            note("python_loop_spans_per_cpu_s", rival[1])
        figures = {"is_accelerated": float(is_accelerated)}
        figures |= {key: statistics.median(values) for key, values in samples.items()}
        for size in (512, 8192):
            # Ratios pair by pair, so that a drift of the machine's speed cancels.
            pairs = zip(
                samples[f"spans_per_cpu_s_{size}"],
                samples["python_loop_spans_per_cpu_s"],
                strict=True,
            )
            figures[f"x_python_loop_{size}"] = statistics.median(a / b for a, b in pairs)
        progress(f"soak of {soak_s:.0f} s at {SPANS_PER_S} spans/s")
        figures |= soak(scratch / "512", SPANS_PER_S / 512, soak_s, progress)
    return figures


def _all_in(scratch: Path, number: int, load: str) -> tuple[float, float]:
    """Return the rate of a saturated collector with its merges, and the 99 % time to the answer."""
    with (
        _store(scratch, f"all_{load}_{number}") as store,
        _collector(store, scratch / f"wal_all_{load}_{number}") as service,
    ):
        sender = Sender(scratch / load, service.grpc_port)
        _wait_stored(service, first := _first(load))
        before_s = cpu_seconds()
        sender.go()
        times_ms = sender.times_ms()
        _wait_stored(service, first + SPANS_PER_RUN)
        _merge(store.client())
        return SPANS_PER_RUN / (cpu_seconds() - before_s), _p99(times_ms)


def _log_alone(scratch: Path, number: int, *, accel: bool) -> float:
    """Return the rate of receiving, checking and logging, without a store."""
    away = _AwayStore(_config(scratch, "away"))
    wal_dir = scratch / f"wal_alone_{number}_{accel}"
    with _collector(away, wal_dir, accel=accel) as service:
        sender = Sender(scratch / "512", service.grpc_port)
        before_s = cpu_seconds()
        sender.go()
        sender.times_ms()
        return SPANS_PER_RUN / (cpu_seconds() - before_s)


def _open_loop(scratch: Path, number: int) -> tuple[float, float]:
    """Return the median and 99 % time to the answer at 30,000 spans a second."""
    with (
        _store(scratch, f"open_{number}") as store,
        _collector(store, scratch / f"wal_open_{number}") as service,
    ):
        sender = Sender(
            scratch / "512",
            service.grpc_port,
            requests_per_s=SPANS_PER_S / 512,
            seconds=_OPEN_S,
        )
        sender.go()
        times_ms = sender.times_ms()
        return statistics.median(times_ms), _p99(times_ms)


def _rivals(scratch: Path, number: int) -> tuple[float, float]:
    """Return the rates of decoding alone and of a Python loop with its merge."""
    requests = read_load(scratch / "512")[: SPANS_PER_RIVAL_RUN // 512]
    before_s = cpu_seconds()
    decode(requests)
    decoded_s = cpu_seconds() - before_s
    with _store(scratch, f"loop_{number}") as store:
        before_s = cpu_seconds()
        insert_in_python(store.client(), requests)
        _merge(store.client())
        looped_s = cpu_seconds() - before_s
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


def _p99(times_ms: list[float]) -> float:
    return times_ms[int(len(times_ms) * 0.99)]


def _config(scratch: Path, database: str) -> StoreConfig:
    return StoreConfig(url=f"chdb://{scratch / 'store'}", database=database)


@contextmanager
def _store(scratch: Path, database: str) -> Iterator[Connections]:
    store = Connections(_config(scratch, database))
    prepare(store)
    yield store
    store.client().command("DROP DATABASE {name:Identifier}", {"name": database})
    store.close()


def prepare(store: Connections) -> None:
    """Make the tables and views."""
    now_ns = SystemClock().now_ns()
    migrate(store.client(), now_ns)
    apply_views(store.client(), AttributesConfig(), DecisionsConfig(), OutcomesConfig(), now_ns)


@contextmanager
def _collector(
    store: Connections, wal_dir: Path, *, accel: bool = True
) -> Iterator[CollectorService]:
    config = CollectorConfig(grpc_port=0, http_port=0, accel=accel)
    service = CollectorService(config, store, wal_dir, Counters(), SystemClock())
    service.start()
    yield service
    service.stop(drain_seconds=0 if isinstance(store, _AwayStore) else 30)


def cpu_seconds() -> float:
    """Return the CPU time of this process, all threads and the kernel's part included."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
