"""I/O: `millworth bench instrument`: what a service pays for its decisions, beside a plain span.

Two measures. The hot path is CPU time of the thread that decides: `begin`, three times `stage` and
`end` of a decision without optional fields. `whole_us` is all of that. `context_us` is what
OpenTelemetry's own context takes of it, to become the current span and to give that back, which
every span does that has children; `hot_path_us` is the rest. The latency is of a decision of 5 ms,
a hundred a second, in a process that records a thousand a second and exports them over OTLP/HTTP to
a sink in a process of its own; what is added is against the same decisions without any of it.

The rival is OpenTelemetry alone: one span with the four stamps as attributes, in its batch
processor. All run in turns, in one call.
"""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from collector.bench.harness import Progress, medians, start_function
from collector.core.clock import AnchoredClock
from collector.core.times import NS_PER_MS, NS_PER_S
from collector.instrument import DecisionExporter, DecisionInstrument
from collector.instrument.current import DECISION_KEY, SPAN_KEY, reset_context, set_context

BURST: Final = 250  # what a quarter of a second holds at a thousand a second
BURSTS: Final = 40
DECISIONS: Final = 800  # of each kind in a run
PERIOD_NS: Final = 10 * NS_PER_MS
RECORDED_PER_DECISION: Final = 10
_WORK_NS: Final = NS_PER_MS // 2
_PAUSE_S: Final = 0.00075
_PARTS: Final = 4  # each works and then waits, as for a store: 5 ms together
_RESOURCE: Final = Resource({"service.name": "bench"})
_QUEUE: Final = 16_384
# A fixed priority, where it is ours to take: else the neighbours' load is the tail.
_PRIORITY: Final = 10

Decide = Callable[[Callable[[], None]], None]  # makes a decision, in which the work is done


class NullExporter(SpanExporter):
    """An exporter that is done at once, and counts."""

    def __init__(self) -> None:
        self.count = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Count."""
        self.count += len(spans)
        return SpanExportResult.SUCCESS


def run_instrument(runs: int, progress: Progress) -> dict[str, float]:
    """Return the figures of DESIGN's `instrument` line, medians of `runs`.

    Keys: `hot_path_us`, `whole_us`, `context_us`, `otel_span_us` (CPU time of the thread that
    decides), `x_otel` (otel_span_us over whole_us); `p99_added_ms`, `p50_added_ms`,
    `otel_p99_added_ms`, `otel_p50_added_ms`, `bare_p50_ms`, `bare_p99_ms`; `fixed_priority`, 1
    where the latency could be measured under SCHED_FIFO.
    """
    results: list[dict[str, float]] = []
    with _process(_sink) as sink, _process(_measure_latency) as latency:
        latency.send(sink.recv())
        for number in range(runs):
            progress(f"run {number + 1} of {runs}: hot path")
            figures = hot_path(BURST, BURSTS)
            progress(f"run {number + 1} of {runs}: latency, {3 * DECISIONS} decisions of 5 ms")
            latency.send(DECISIONS)
            results.append(figures | latency.recv())
    return medians(results)


def hot_path(burst: int, bursts: int) -> dict[str, float]:
    """Return CPU microseconds of the deciding thread, each a median over bursts."""
    exporter = NullExporter()
    instrument = DecisionInstrument(exporter, _RESOURCE, export_every_s=3600, queue_max=burst)
    provider = TracerProvider(resource=_RESOURCE, shutdown_on_exit=False)
    provider.add_span_processor(
        BatchSpanProcessor(
            NullExporter(),
            max_queue_size=4 * burst,
            max_export_batch_size=4 * burst,
            schedule_delay_millis=3_600_000,
        )
    )
    tracer = provider.get_tracer("bench")
    clock_ns = AnchoredClock().now_ns
    here = object()

    def ours() -> None:
        decision = instrument.begin("offer")
        decision.stage("transform")
        decision.stage("decision")
        decision.stage("egress")
        decision.end()

    def context() -> None:
        reset_context(set_context(Context({SPAN_KEY: here, DECISION_KEY: here})))

    def otel() -> None:
        with tracer.start_as_current_span("decide offer") as span:
            span.set_attribute("decision.action", "offer")
            span.set_attribute("decision.ts.ingress", clock_ns())
            span.set_attribute("decision.ts.transform", clock_ns())
            span.set_attribute("decision.ts.decision", clock_ns())
            span.set_attribute("decision.ts.egress", clock_ns())

    def nothing() -> None:
        pass

    kinds = {"whole_us": ours, "context_us": context, "otel_span_us": otel, "call_us": nothing}
    times: dict[str, list[float]] = {key: [] for key in kinds}
    for key, kind in kinds.items():
        for _ in range(bursts):
            times[key].append(_cpu_us(kind, burst))
            instrument.flush()
            provider.force_flush()
    instrument.shutdown()
    provider.shutdown()
    assert (exporter.count, instrument.dropped) == (burst * bursts, 0), "not all was measured"
    medians = {key: statistics.median(values) for key, values in times.items()}
    call_us = medians.pop("call_us")  # the loop and the call of a function, which are not ours
    figures = {key: value - call_us for key, value in medians.items()}
    figures["hot_path_us"] = figures["whole_us"] - figures["context_us"]
    figures["x_otel"] = figures["otel_span_us"] / figures["whole_us"]
    return figures


def _cpu_us(call: Callable[[], None], count: int) -> float:
    begun_ns = time.thread_time_ns()
    for _ in range(count):
        call()
    return (time.thread_time_ns() - begun_ns) / count / 1000


def latency(endpoint: str, decisions: int) -> dict[str, float]:
    """Return what an instrument adds to p50 and p99 of a decision, ours and the rival's."""
    percentiles = {}
    for name, kind in (("bare", _bare), ("", _ours), ("otel_", _otel)):
        with kind(endpoint) as decide:
            times_ms = sorted(_decisions_ms(decide, decisions))
        percentiles[name] = {
            percentile: times_ms[int(len(times_ms) * percentile / 100)] for percentile in (50, 99)
        }
    bare = percentiles.pop("bare")
    figures = {f"bare_p{percentile}_ms": value for percentile, value in bare.items()}
    for name, measured in percentiles.items():
        figures |= {
            f"{name}p{percentile}_added_ms": value - bare[percentile]
            for percentile, value in measured.items()
        }
    return figures


def _decisions_ms(decide: Decide, count: int) -> Iterator[float]:
    """Yield the time of each decision; each is followed by nine short ones, which are not timed."""
    clock = AnchoredClock()
    never = threading.Event()
    due_ns = clock.monotonic_ns()
    for _ in range(count):
        due_ns += PERIOD_NS
        never.wait(max(0, due_ns - clock.monotonic_ns()) / NS_PER_S)
        begun_ns = clock.monotonic_ns()
        decide(_work)
        yield (clock.monotonic_ns() - begun_ns) / NS_PER_MS
        for _ in range(RECORDED_PER_DECISION - 1):
            decide(_no_work)


def _work() -> None:
    """Compute for half a millisecond and wait for three quarters, a quarter of a decision."""
    until_ns = time.thread_time_ns() + _WORK_NS
    while time.thread_time_ns() < until_ns:
        pass
    time.sleep(_PAUSE_S)


def _no_work() -> None:
    pass


@contextmanager
def _bare(_endpoint: str) -> Iterator[Decide]:
    def decide(work: Callable[[], None]) -> None:
        for _ in range(_PARTS):
            work()

    yield decide


@contextmanager
def _ours(endpoint: str) -> Iterator[Decide]:
    instrument = DecisionInstrument(DecisionExporter(endpoint), _RESOURCE, queue_max=_QUEUE)

    def decide(work: Callable[[], None]) -> None:
        with instrument.begin("offer", region="eu-west") as decision:
            work()
            for stage in ("transform", "decision", "egress"):
                decision.stage(stage)
                work()

    yield decide
    instrument.shutdown()
    assert not instrument.failed + instrument.dropped, "decisions were lost on the way to the sink"


@contextmanager
def _otel(endpoint: str) -> Iterator[Decide]:
    provider = TracerProvider(resource=_RESOURCE, shutdown_on_exit=False)
    provider.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter(endpoint), max_queue_size=_QUEUE)
    )
    tracer = provider.get_tracer("bench")
    clock_ns = AnchoredClock().now_ns

    def decide(work: Callable[[], None]) -> None:
        with tracer.start_as_current_span("decide offer") as span:
            span.set_attribute("decision.action", "offer")
            span.set_attribute("decision.region", "eu-west")
            for stage in ("ingress", "transform", "decision", "egress"):
                span.set_attribute(f"decision.ts.{stage}", clock_ns())
                work()

    yield decide
    provider.shutdown()


def _measure_latency(pipe: Connection) -> None:
    """Measure in a process of its own, at a fixed priority where that may be had."""
    endpoint = pipe.recv()
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
        is_fixed = 1.0
    except (AttributeError, OSError):
        is_fixed = 0.0
    while (decisions := pipe.recv()) is not None:
        pipe.send({**latency(endpoint, decisions), "fixed_priority": is_fixed})


def _sink(pipe: Connection) -> None:
    """Answer every export OK, until it is told to end."""
    server = serve_sink()
    pipe.send(f"http://127.0.0.1:{server.server_port}/v1/traces")
    pipe.recv()
    server.shutdown()


def serve_sink() -> ThreadingHTTPServer:
    """Return a started server that takes whatever is posted and answers OK."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Taker)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class _Taker(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Read it and say yes."""
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing of it."""


@contextmanager
def _process(target: Callable[[Connection], None]) -> Iterator[Connection]:
    """Run a function in a process of its own, and tell it to end with None."""
    ours, process = start_function(target)
    try:
        yield ours
    finally:
        ours.send(None)
        process.join(10)
        process.kill()
