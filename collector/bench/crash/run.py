"""I/O: `millworth bench crash`: kill -9 at every point, then count what was lost or counted twice.

A round starts a collector over what the last one left, compares its store with everything that was
ever answered OK, sends until the collector is killed, and may damage the log as a power cut does.
What was sent and not answered is sent again to the next collector, as an SDK does.
"""

from __future__ import annotations

import random
import statistics
import subprocess
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.bench.crash.child import Plan, Point
from collector.bench.crash.outage import run_outage
from collector.bench.crash.power_cut import Damage, cut_power, leave, tear
from collector.bench.harness import Progress, heard, module_process, own_directory
from collector.core.clock import SystemClock
from collector.core.errors import StoreUnavailableError
from collector.core.times import NS_PER_MS, NS_PER_S

ROUNDS_PER_RUN = 40  # five runs, the default, are two hundred
ROUNDS_PER_DIRECTORY = 10
OUTAGE_MINUTES = 10.0
_SERVICES = "/opentelemetry.proto.collector"
_EXPORTS = {"traces": f"{_SERVICES}.trace.v1.TraceService/Export"}
_EXPORTS["logs"] = f"{_SERVICES}.logs.v1.LogsService/Export"
_STATEMENTS = 45  # of a first start, about
_SENDERS = {"traces": 3, "logs": 1}
_ITEMS = 5
# A collector that has not come to its point by then is killed where it is.
_ROUND_S_MAX = 3.0
_START_S_MAX = 120.0
_DAMAGES: Sequence[Damage] = (leave, tear, cut_power)
_AT_START = (
    Point.ANYWHERE, Point.INSERT, Point.CHAIN, Point.COMMIT, Point.STORED, Point.DELETE,
)  # fmt: skip

Key = tuple[str, str]  # span, skeleton, trace, decision or outcome; its id


@dataclass(frozen=True, slots=True)
class _Request:
    signal: str
    body: bytes
    keys: frozenset[Key]


@dataclass(slots=True)
class Ledger:
    """What one directory owes its senders."""

    answered: set[Key] = field(default_factory=set)
    unanswered: deque[_Request] = field(default_factory=deque)
    lost: set[Key] = field(default_factory=set)
    twice: set[Key] = field(default_factory=set)

    def compare(self, copies: dict[Key, int]) -> None:
        """Hold what the store has against what was answered."""
        self.lost |= self.answered - copies.keys()
        self.twice |= {key for key, count in copies.items() if count > 1}


@dataclass(slots=True)
class CrashFigures:
    """What all rounds showed."""

    rounds: int = 0
    acked: int = 0
    acked_lost: int = 0
    counted_twice: int = 0
    restarts_s: list[float] = field(default_factory=list)


def run_crash(runs: int, progress: Progress, outage_minutes: float) -> dict[str, float]:
    """Return the figures of DESIGN's `crash` line: 40 rounds a run, then an outage of the store.

    Keys: `rounds`, `acked_lost`, `counted_twice`, `collector_restart_s` (median, from the start of
    a process that has the collector alone until it receives; `dashboard.bench.start` has that of
    the service), `collector_restart_s_max`, `acked`, the spans, their skeletons and traces,
    decisions and outcomes that were answered OK, and those of `run_outage`. A round takes about
    2 s, so that two hundred and ten minutes of outage are done in twenty.
    """
    if outage_minutes < OUTAGE_MINUTES:
        progress(f"shortened: the store is away for {outage_minutes:g} minutes, not ten")
    figures = crash_rounds(range(runs * ROUNDS_PER_RUN), progress)
    return {
        "rounds": figures.rounds,
        "acked": figures.acked,
        "acked_lost": figures.acked_lost,
        "counted_twice": figures.counted_twice,
        "collector_restart_s": statistics.median(figures.restarts_s),
        "collector_restart_s_max": max(figures.restarts_s),
        **run_outage(outage_minutes, progress),
    }


def crash_rounds(seeds: Sequence[int], progress: Progress) -> CrashFigures:
    """Kill one collector a seed, ten over one directory; each seed says where and what follows."""
    figures = CrashFigures()
    for first in range(0, len(seeds), ROUNDS_PER_DIRECTORY):
        with own_directory() as scratch:
            ledger = Ledger()
            for number, seed in enumerate(seeds[first : first + ROUNDS_PER_DIRECTORY]):
                draw = random.Random(seed)  # noqa: S311  a repeatable kill, not a secret
                plan = make_plan(seed, draw, is_fresh=number == 0)
                _round(scratch, plan, draw, ledger, figures)
                damage = draw.choice(_DAMAGES)
                damage(scratch, draw)
                progress(
                    f"round {first + number + 1} of {len(seeds)}, seed {seed}: {plan.point} "
                    f"{plan.nth}, {damage.__name__}; lost {len(ledger.lost)}, "
                    f"twice {len(ledger.twice)}"
                )
            _round(scratch, None, random.Random(0), ledger, figures)  # noqa: S311  unused
        figures.rounds += number + 1
        figures.acked += len(ledger.answered)
        figures.acked_lost += len(ledger.lost)
        figures.counted_twice += len(ledger.twice)
    return figures


def make_plan(seed: int, draw: random.Random, *, is_fresh: bool) -> Plan:
    """Return where a collector ends; a directory begins with a migration that is cut short."""
    if is_fresh:
        return Plan(Point.MIGRATE, draw.randint(1, _STATEMENTS), from_start=True)
    points = [point for point in Point if point is not Point.MIGRATE]
    # A directory begins with each tenth seed, and there are as many points.
    point = points[(seed + seed // ROUNDS_PER_DIRECTORY) % len(points)]
    from_start = point in _AT_START and draw.random() < 0.4
    often = {Point.RECEIVE: 80, Point.FSYNC: 30, Point.SYNCED: 30}
    most = {**often, Point.CHAIN: 3, Point.COMMIT: 4}.get(point, 6)
    return Plan(point, draw.randint(1, 1 if from_start and most == 6 else most), from_start)


def _round(
    directory: Path, plan: Plan | None, draw: random.Random, ledger: Ledger, figures: CrashFigures
) -> None:
    """Start a collector and compare; with a plan, send until it is killed."""
    clock = SystemClock()
    is_restart = (directory / "journal").exists()
    started_ns = clock.monotonic_ns()
    with _started(directory, plan or Plan(Point.MIGRATE, 1_000, from_start=False)) as child:
        if plan and plan.point is Point.ANYWHERE and plan.from_start:
            _kill_later(child, draw.uniform(0.2, 2.0))
        hello = heard(child)
        if hello is not None and is_restart:
            figures.restarts_s.append((clock.monotonic_ns() - started_ns) / NS_PER_S)
        report = heard(child)
        if report is not None:
            if not report["drained"]:
                raise StoreUnavailableError("the log of a killed collector was not stored in 60 s")
            ledger.compare({(kind, key): count for kind, key, count in report["copies"]})
        is_armed = heard(child) is not None
        if plan is None:
            if not is_armed:
                raise StoreUnavailableError("a collector that nobody kills did not start")
            return
        if hello is not None and is_armed:
            late_s = draw.uniform(0.0, 0.6) if plan.point is Point.ANYWHERE else _ROUND_S_MAX
            _kill_later(child, late_s)
            _send_until_killed(hello["port"], draw.getrandbits(64), ledger)


@contextmanager
def _started(directory: Path, plan: Plan) -> Iterator[subprocess.Popen[str]]:
    """Start a collector over a directory; it is gone at the end, whatever happens."""
    module = "collector.bench.crash.child"
    with module_process(module, str(directory), plan.to_json()) as child:
        _kill_later(child, _START_S_MAX)
        yield child


def _kill_later(child: subprocess.Popen[str], seconds: float) -> None:
    """Kill a process, unless it has ended by itself before."""

    def wait_and_kill() -> None:
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.kill()

    threading.Thread(target=wait_and_kill, daemon=True).start()


def _send_until_killed(port: int, seed: int, ledger: Ledger) -> None:
    """Send what has no answer yet, then more, from several threads until nobody answers."""
    again = list(ledger.unanswered)
    ledger.unanswered.clear()

    def send(signal: str, number: int) -> None:
        draw = random.Random(f"{seed} {signal} {number}")  # noqa: S311  ids that repeat with a seed
        mine = [request for request in again if request.signal == signal][
            number :: _SENDERS[signal]
        ]
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = channel.unary_unary(
                _EXPORTS[signal], request_serializer=None, response_deserializer=None
            )
            while True:
                request = mine.pop() if mine else _make_request(signal, draw)
                try:
                    call(request.body, timeout=_ROUND_S_MAX * 2)
                except grpc.RpcError:
                    ledger.unanswered.extend([request, *mine])
                    return
                ledger.answered.update(request.keys)

    threads = [
        threading.Thread(target=send, args=(signal, number))
        for signal, count in _SENDERS.items()
        for number in range(count)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _make_request(signal: str, draw: random.Random) -> _Request:
    now_ns = SystemClock().now_ns()
    ids = [draw.randbytes(16) for _ in range(draw.randrange(_ITEMS + 1))]
    if signal == "logs":
        keys = frozenset(("outcome", key.hex()) for key in ids)
        return _Request(signal, _outcomes(ids, now_ns).SerializeToString(), keys)
    keys = frozenset((kind, key.hex()) for key in ids for kind in ("decision", "trace"))
    keys |= {(kind, key[:8].hex()) for key in ids for kind in ("span", "skeleton")}
    return _Request(signal, _decisions(ids, now_ns).SerializeToString(), keys)


def _decisions(trace_ids: Sequence[bytes], now_ns: int) -> Message:
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for trace_id in trace_ids:
        spans.append(
            Span(
                trace_id=trace_id,
                span_id=trace_id[:8],
                name="offer",
                start_time_unix_nano=now_ns - 5 * NS_PER_MS,
                end_time_unix_nano=now_ns,
                attributes=_attributes({"decision.action": "offer"}),
            )
        )
    return request


def _outcomes(ids: Sequence[bytes], now_ns: int) -> Message:
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    for key in ids:
        names = {"outcome.id": key.hex(), "decision.id": key.hex(), "outcome.revenue": "12.50"}
        records.append(
            LogRecord(
                time_unix_nano=now_ns,
                event_name="decision.outcome",
                attributes=_attributes({**names, "outcome.currency": "USD"}),
            )
        )
    return request


def _attributes(values: dict[str, str]) -> list[KeyValue]:
    return [KeyValue(key=key, value=AnyValue(string_value=text)) for key, text in values.items()]
