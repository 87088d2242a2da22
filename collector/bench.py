"""I/O: `millworth bench ingest`: OTLP bytes to stored, merged rows, beside two rivals.

The unit is spans per second of CPU time of this process, the engine's background threads
included: on a shared machine wall time says more about the neighbours. The sender is a process of
its own. Rivals in the same call: decoding alone (no store), and a Python loop that builds rows
and inserts them, which is what most Python receivers do.
"""

from __future__ import annotations

import multiprocessing
import random
import resource
import statistics
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

import grpc
from clickhouse_connect.driver.client import Client
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.clock import NS_PER_MS, NS_PER_S, SystemClock
from collector.config import (
    AttributesConfig,
    CollectorConfig,
    DecisionsConfig,
    OutcomesConfig,
    StoreConfig,
)
from collector.counters import Counters
from collector.service import CollectorService
from collector.store.connect import Connections
from collector.store.migrate import apply_views, migrate

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
SPANS_PER_RUN = 131_072
IN_FLIGHT = 16
ROWS_PER_RIVAL_INSERT = 32_768
_WAIT_S = 0.02


def run_ingest(runs: int, progress: Callable[[str], None]) -> dict[str, float]:
    """Return the figures of DESIGN's `ingest` line that are built, medians of `runs`.

    Keys: `spans_per_cpu_s_512` and `_8192` (all in), `parse_only_spans_per_cpu_s`,
    `python_loop_spans_per_cpu_s`, `x_python_loop_512` and `_8192`, `ack_p99_ms_saturated`.
    """
    samples: dict[str, list[float]] = {}

    def note(key: str, value: float) -> None:
        samples.setdefault(key, []).append(value)

    with tempfile.TemporaryDirectory(prefix="millworth-bench-") as scratch:
        for number in range(runs):
            for size in (512, 8192):
                progress(f"run {number + 1} of {runs}: {size} spans a request")
                rate, ack_p99_ms = _all_in(Path(scratch), number, size)
                note(f"spans_per_cpu_s_{size}", rate)
                if size == 512:
                    note("ack_p99_ms_saturated", ack_p99_ms)
            progress(f"run {number + 1} of {runs}: rivals")
            requests = list(make_requests(number, 512, SPANS_PER_RUN // 4))
            note("parse_only_spans_per_cpu_s", _parse_only(requests))
            note("python_loop_spans_per_cpu_s", _python_loop(Path(scratch), number, requests))
    figures = {key: statistics.median(values) for key, values in samples.items()}
    for size in (512, 8192):
        # Ratios pair by pair, so that a drift of the machine's speed cancels.
        pairs = zip(
            samples[f"spans_per_cpu_s_{size}"], samples["python_loop_spans_per_cpu_s"], strict=True
        )
        figures[f"x_python_loop_{size}"] = statistics.median(ours / loop for ours, loop in pairs)
    return figures


def _all_in(scratch: Path, number: int, size: int) -> tuple[float, float]:
    store = _fresh_store(scratch, f"ingest_{size}_{number}")
    config = CollectorConfig(grpc_port=0, http_port=0)
    service = CollectorService(
        config, store, scratch / f"wal_{size}_{number}", Counters(), SystemClock()
    )
    service.start()
    ours, theirs = multiprocessing.Pipe()
    sender = multiprocessing.get_context("spawn").Process(
        target=_send, args=(theirs, service.grpc_port, number, size), daemon=True
    )
    sender.start()
    assert ours.recv() == "ready"
    before = _cpu_seconds()
    ours.send("go")
    ack_p99_ms: float = ours.recv()
    waiting = threading.Event()
    while service.status().spans_stored < SPANS_PER_RUN:
        waiting.wait(_WAIT_S)
    store.client().command("OPTIMIZE TABLE otel_traces FINAL")
    cpu_s = _cpu_seconds() - before
    sender.join()
    service.stop(drain_seconds=10)
    _drop(store)
    return SPANS_PER_RUN / cpu_s, ack_p99_ms


def _send(pipe: Connection, port: int, seed: int, size: int) -> None:
    """Send as fast as IN_FLIGHT requests at a time allow; report the 99 % time to the answer."""
    requests = list(make_requests(seed, size, SPANS_PER_RUN))
    clock = SystemClock()
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        export = channel.unary_unary(EXPORT, bytes, bytes)

        def send(request: bytes) -> float:
            sent_ns = clock.monotonic_ns()
            export(request, timeout=120, wait_for_ready=True)
            return (clock.monotonic_ns() - sent_ns) / NS_PER_MS

        pipe.send("ready")
        pipe.recv()
        with ThreadPoolExecutor(IN_FLIGHT) as pool:
            times_ms = sorted(pool.map(send, requests))
        pipe.send(times_ms[int(len(times_ms) * 0.99)])


def _parse_only(requests: list[bytes]) -> float:
    before = _cpu_seconds()
    for request in requests:
        ExportTraceServiceRequest.FromString(request)
    return SPANS_PER_RUN / 4 / (_cpu_seconds() - before)


def _python_loop(scratch: Path, number: int, requests: list[bytes]) -> float:
    store = _fresh_store(scratch, f"loop_{number}")
    client = store.client()
    before = _cpu_seconds()
    rows: list[list[object]] = []
    for request in requests:
        rows += _rows(ExportTraceServiceRequest.FromString(request))
        if len(rows) >= ROWS_PER_RIVAL_INSERT:
            _insert(client, rows)
            rows = []
    if rows:
        _insert(client, rows)
    client.command("OPTIMIZE TABLE otel_traces FINAL")
    rate = SPANS_PER_RUN / 4 / (_cpu_seconds() - before)
    _drop(store)
    return rate


def _insert(client: Client, rows: list[list[object]]) -> None:
    client.insert(
        "otel_traces",
        rows,
        column_names=[
            "Timestamp",
            "TraceId",
            "SpanId",
            "ParentSpanId",
            "SpanName",
            "ServiceName",
            "ResourceAttributes",
            "SpanAttributes",
            "Duration",
            "received_ns",
        ],
    )


def _rows(message: ExportTraceServiceRequest) -> Iterator[list[object]]:
    """Do what a plain Python receiver does, with fewer columns than ours: a generous rival."""
    for resource_spans in message.resource_spans:
        resource = {item.key: _text(item.value) for item in resource_spans.resource.attributes}
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield [
                    span.start_time_unix_nano,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    span.name,
                    resource.get("service.name", ""),
                    resource,
                    {item.key: _text(item.value) for item in span.attributes},
                    span.end_time_unix_nano - span.start_time_unix_nano,
                    span.end_time_unix_nano,
                ]


def _text(value: AnyValue) -> str:
    kind = value.WhichOneof("value")
    return str(getattr(value, kind)) if kind else ""


def make_requests(seed: int, size: int, spans: int) -> Iterator[bytes]:
    """Yield OTLP requests of `size` spans: ten attributes and an event each, nine of resource."""
    draw = random.Random(seed)  # noqa: S311  a repeatable load, not a secret
    now_ns = SystemClock().now_ns()
    resource = Resource(
        attributes=[_attribute("service.name", f"shop-{seed % 5}")]
        + [_attribute(f"resource.key.{n}", f"value-{n}") for n in range(8)]
    )
    for _ in range(spans // size):
        request = ExportTraceServiceRequest()
        resource_spans = request.resource_spans.add()
        resource_spans.resource.CopyFrom(resource)
        scope_spans = resource_spans.scope_spans.add()
        scope_spans.scope.name = "bench"
        scope_spans.spans.extend(_span(draw, now_ns) for _ in range(size))
        yield request.SerializeToString()


def _span(draw: random.Random, now_ns: int) -> Span:
    start_ns = now_ns - draw.randrange(60 * NS_PER_S)
    duration_ns = draw.randrange(1, 200 * NS_PER_MS)
    return Span(
        trace_id=draw.randbytes(16),
        span_id=draw.randbytes(8),
        parent_span_id=draw.randbytes(8),
        name=f"operation-{draw.randrange(40)}",
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=start_ns,
        end_time_unix_nano=start_ns + duration_ns,
        attributes=[
            _attribute("http.request.method", "POST"),
            _attribute("url.path", f"/offer/{draw.randrange(1000)}"),
            _attribute("server.address", "127.0.0.1"),
            _attribute("decision.region", "eu-west"),
            _attribute("session.id", f"{draw.getrandbits(64):016x}"),
            _attribute("server.port", 8080),
            _attribute("http.response.status_code", 200),
            _attribute("item.count", draw.randrange(50)),
            _attribute("item.score", draw.random()),
            _attribute("cache.hit", bool(draw.randrange(2))),
        ],
        events=[
            Span.Event(
                time_unix_nano=start_ns + duration_ns // 2,
                name="priced",
                attributes=[_attribute("offer.id", f"o-{draw.randrange(500)}")],
            )
        ],
    )


def _attribute(key: str, value: str | bool | int | float) -> KeyValue:
    if isinstance(value, bool):
        return KeyValue(key=key, value=AnyValue(bool_value=value))
    if isinstance(value, int):
        return KeyValue(key=key, value=AnyValue(int_value=value))
    if isinstance(value, float):
        return KeyValue(key=key, value=AnyValue(double_value=value))
    return KeyValue(key=key, value=AnyValue(string_value=value))


def _fresh_store(scratch: Path, database: str) -> Connections:
    store = Connections(StoreConfig(url=f"chdb://{scratch / 'store'}", database=database))
    now_ns = SystemClock().now_ns()
    migrate(store.client(), now_ns)
    apply_views(store.client(), AttributesConfig(), DecisionsConfig(), OutcomesConfig(), now_ns)
    return store


def _drop(store: Connections) -> None:
    store.client().command("DROP DATABASE {name:Identifier}", {"name": store.config.database})
    store.close()


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
