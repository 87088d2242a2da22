"""I/O: the outage of `millworth bench crash`: the store is away while senders go on.

The store is another object that is passed in: it refuses connections while it is away, and begins
with the worst case, an insert that goes in and whose answer does not come. What was answered OK is
then compared with the store request by request, by what the spans say and not by their number.
"""

from __future__ import annotations

import itertools
import shutil
import statistics
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import grpc
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.summary import QuerySummary
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.bench.harness import (
    MIB,
    Progress,
    own_directory,
    prepare,
    rss_mib,
    start_collector,
)
from collector.bench.sender import EXPORT
from collector.bench.spans import make_requests
from collector.core.clock import SystemClock
from collector.core.config import StoreConfig
from collector.core.errors import InputError, StoreUnavailableError
from collector.core.sql import sql
from collector.core.times import NS_PER_MS, NS_PER_S
from collector.service import CollectorService, CollectorStatus
from collector.store.connect import Connections

OUTAGE_REQUESTS = sql("outage_requests", __file__)
SPANS_PER_S = 10_000
SPANS_PER_REQUEST = 500
WARM_S = 10.0
_SENDERS = 8
_SEND_S_MAX = 30.0
_DRAIN_S_MAX = 1800.0
_LOOK_S = 0.05
_SAY_S = 30.0
# In every trace id of the template, where the number of the request goes.
_PLACE = bytes.fromhex("9d1c7ae25bf3480e")
_PREFIX = bytes.fromhex("00c0ffee")
_REQUESTS_PER_QUERY = 1_000
_BYTES_PER_SPAN = 1_000  # about: 450 in the log, and less in the store, before and after a merge


@dataclass(frozen=True, slots=True)
class OutagePlan:
    """How long the store is there, is away, and how much comes meanwhile."""

    away_s: float
    warm_s: float = WARM_S
    spans_per_s: int = SPANS_PER_S
    spans_per_request: int = SPANS_PER_REQUEST


@dataclass(frozen=True, slots=True)
class Template:
    """One request without its number, and what its spans say."""

    body: bytes
    spans: int
    content: int  # sum of the CRC-32 of each span's values

    def request(self, number: int) -> bytes:
        """Return the request of a number: each of its spans is in a trace of its own."""
        return self.body.replace(_PLACE, half_of(number))


class AwayStore(Connections):
    """A store that can be taken away from those that use it."""

    def __init__(self, config: StoreConfig) -> None:
        super().__init__(config)
        self._is_away = threading.Event()
        self._may_cut = threading.Event()
        self.cut = threading.Event()  # set once an insert went in and was not answered

    def take_away(self) -> None:
        """Let the next insert in, keep its answer back, and refuse every connection after that."""
        self._may_cut.set()

    def bring_back(self) -> None:
        """Answer again."""
        self._may_cut.clear()
        self._is_away.clear()

    def client(self) -> Client:
        """Return this thread's connection.

        Raises:
            StoreUnavailableError: it is away.
        """
        if self._is_away.is_set():
            raise StoreUnavailableError("the store was taken away by a bench")
        return cast("Client", _CutClient(super().client(), self))

    def after_insert(self) -> None:
        """Go away in place of an answer, where it is time to."""
        if self._may_cut.is_set():
            self._is_away.set()
            self.cut.set()
            raise StoreUnavailableError("the connection was cut by a bench")


class _CutClient:
    """A connection, as far as a writer uses it."""

    def __init__(self, client: Client, store: AwayStore) -> None:
        self._client = client
        self._store = store

    def raw_insert(
        self, table: str, insert_block: bytes, fmt: str, settings: dict[str, Any]
    ) -> QuerySummary:
        """Insert bytes."""
        summary = self._client.raw_insert(
            table, insert_block=insert_block, fmt=fmt, settings=settings
        )
        self._store.after_insert()
        return summary

    def __getattr__(self, name: str) -> object:
        """Return what is never cut."""
        attribute: object = getattr(self._client, name)
        return attribute


@dataclass(slots=True)
class Sent:
    """What a sender was told."""

    acked: list[int] = field(default_factory=list)  # numbers of requests
    refused: int = 0  # answers that asked to come again, which the sender did
    ack_ms: list[float] = field(default_factory=list)


class Sender:
    """Sends at a fixed rate, whatever the answers; a request that is refused is sent again."""

    def __init__(self, port: int, template: Template, plan: OutagePlan) -> None:
        self.sent = Sent()
        self._template = template
        self._every_ns = plan.spans_per_request * NS_PER_S // plan.spans_per_s
        self._stop = threading.Event()
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self._call = self._channel.unary_unary(EXPORT, None, None)
        self._thread = threading.Thread(target=self._run, name="sender")

    def start(self) -> None:
        """Start to send."""
        self._thread.start()

    def stop(self) -> Sent:
        """Send no more; return when every request has its answer."""
        self._stop.set()
        self._thread.join()
        self._channel.close()
        return self.sent

    def _run(self) -> None:
        clock = SystemClock()
        begun_ns = clock.monotonic_ns()
        with ThreadPoolExecutor(_SENDERS) as pool:
            for number in itertools.count(1):
                due_ns = begun_ns + number * self._every_ns
                if self._stop.wait(max(0, due_ns - clock.monotonic_ns()) / NS_PER_S):
                    return
                pool.submit(self._send, number, clock)

    def _send(self, number: int, clock: SystemClock) -> None:
        request = self._template.request(number)
        while True:
            sent_ns = clock.monotonic_ns()
            try:
                self._call(request, timeout=_SEND_S_MAX)
            except grpc.RpcError:
                self.sent.refused += 1
                if self._stop.wait(1.0):
                    return  # nobody answered for it
            else:
                self.sent.ack_ms.append((clock.monotonic_ns() - sent_ns) / NS_PER_MS)
                self.sent.acked.append(number)
                return


def run_outage(minutes: float, progress: Progress) -> dict[str, float]:
    """Return the figures of an outage over a store of its own.

    Keys: `outage_seconds`, `outage_spans_acked` (while the store was away), `outage_lost`,
    `outage_twice`, `outage_drained_s` (from when the store is back until everything that waited is
    stored, while as much comes in as before), `outage_refused` (answers that asked to come again),
    `outage_log_mib`, `outage_ack_p99_ms`, and the memory of the process before, at the end of the
    outage, and once it is drained: `outage_rss_mib_before`, `_away`, `_after`.

    Raises:
        InputError: the disk has no room for the log of that time.
    """
    plan = OutagePlan(away_s=60 * minutes)
    with own_directory() as scratch:
        need = int(plan.away_s * plan.spans_per_s * _BYTES_PER_SPAN)
        free = shutil.disk_usage(scratch).free
        if free < need:
            raise InputError(
                f"an outage of {minutes:g} minutes takes up to {need // MIB} MiB and {scratch} "
                f"has {free // MIB}; free space, name another with TMPDIR, or shorten it with "
                "--outage-minutes"
            )
        store = AwayStore(StoreConfig(url=f"chdb://{scratch / 'store'}"))
        prepare(store)
        try:
            return outage(store, scratch / "wal", plan, progress)
        finally:
            store.close()


def outage(
    store: AwayStore, wal_dir: Path, plan: OutagePlan, progress: Progress
) -> dict[str, float]:
    """Take a migrated store away from a collector, bring it back, and compare."""
    clock = SystemClock()
    template = make_template(plan.spans_per_request, clock.now_ns())
    service = start_collector(store, wal_dir)
    sender = Sender(service.grpc_port, template, plan)
    watch = _Watch(service, progress)
    sender.start()
    try:
        watch.wait(plan.warm_s, "store there")
        before = watch.sample()
        store.take_away()
        if not store.cut.wait(_SEND_S_MAX):
            raise StoreUnavailableError("no insert came in which the store could go away")
        watch.wait(plan.away_s, "store away")
        away = watch.sample()
        store.bring_back()
        drained_s = watch.until_stored(away.status)
    finally:
        sent = sender.stop()
        is_drained = service.stop(_DRAIN_S_MAX)
    if not is_drained:
        raise StoreUnavailableError("the log was not stored after the store was back")
    progress(f"comparing {len(sent.acked)} requests of {template.spans} spans")
    lost, twice = compare(store, sent, template)
    return {
        "outage_seconds": (away.at_ns - before.at_ns) / NS_PER_S,
        "outage_spans_acked": away.status.spans_acked - before.status.spans_acked,
        "outage_lost": lost,
        "outage_twice": twice,
        "outage_drained_s": drained_s,
        "outage_refused": sent.refused,
        "outage_log_mib": away.status.wal_bytes / MIB,
        "outage_ack_p99_ms": statistics.quantiles(sent.ack_ms, n=100)[98],
        "outage_rss_mib_before": before.rss_mib,
        "outage_rss_mib_away": away.rss_mib,
        "outage_rss_mib_after": rss_mib(),
    }


def compare(store: Connections, sent: Sent, template: Template) -> tuple[int, int]:
    """Return the acknowledged spans that are not stored as they were sent, and those twice."""
    lost = twice = 0
    acked = sorted(sent.acked)
    for index in range(0, len(acked), _REQUESTS_PER_QUERY):
        numbers = acked[index : index + _REQUESTS_PER_QUERY]
        bounds = {"first": half_of(numbers[0]).hex(), "after": half_of(numbers[-1] + 1).hex()}
        rows = store.client().query(OUTAGE_REQUESTS, parameters=bounds).result_rows
        stored = {request: (spans, content) for request, spans, content, _ in rows}
        twice += sum(copies for *_, copies in rows)
        for number in numbers:
            spans, content = stored.get(half_of(number).hex(), (0, 0))
            if (spans, content) != (template.spans, template.content):
                # Where the number is right and what they say is not, none of them counts.
                lost += template.spans - spans or template.spans
    return lost, twice


def make_template(spans: int, now_ns: int) -> Template:
    """Return a request of realistic spans of about `now_ns`, each a trace of its own."""
    [body] = make_requests(0, spans, spans, now_ns)
    message = ExportTraceServiceRequest.FromString(body)
    content = 0
    template_spans = message.resource_spans[0].scope_spans[0].spans
    for index, span in enumerate(template_spans):
        span.trace_id = _PLACE + index.to_bytes(8, "big")
        attributes = {pair.key: pair.value for pair in span.attributes}
        parts = (
            span.name,
            str(span.end_time_unix_nano - span.start_time_unix_nano),
            attributes["url.path"].string_value,
            attributes["session.ref"].string_value,
            str(attributes["item.count"].int_value),
            span.events[0].attributes[0].value.string_value,
        )
        content += zlib.crc32("|".join(parts).encode())
    return Template(message.SerializeToString(), spans, content)


def half_of(number: int) -> bytes:
    """Return the first half of the trace ids of a request."""
    return _PREFIX + number.to_bytes(4, "big")


@dataclass(frozen=True, slots=True)
class _Sample:
    at_ns: int
    status: CollectorStatus
    rss_mib: float


class _Watch:
    """Waits, and says now and then how far it is."""

    def __init__(self, service: CollectorService, progress: Progress) -> None:
        self._service = service
        self._progress = progress
        self._clock = SystemClock()
        self._never = threading.Event()

    def sample(self) -> _Sample:
        """Return how things stand."""
        return _Sample(self._clock.monotonic_ns(), self._service.status(), rss_mib())

    def wait(self, seconds: float, what: str) -> None:
        """Wait for a time."""
        end_ns = self._clock.monotonic_ns() + round(seconds * NS_PER_S)
        while (left_s := (end_ns - self._clock.monotonic_ns()) / NS_PER_S) > 0:
            self._never.wait(min(left_s, _SAY_S))
            self._report(f"{what}, {max(0.0, left_s - _SAY_S):.0f} s to go")

    def until_stored(self, behind: CollectorStatus) -> float:
        """Return after how long everything is stored that was acknowledged by then."""
        begun_ns = said_ns = self._clock.monotonic_ns()
        while True:
            status = self._service.status()
            now_ns = self._clock.monotonic_ns()
            if status.spans_stored + status.spans_quarantined >= behind.spans_acked:
                return (now_ns - begun_ns) / NS_PER_S
            if now_ns - begun_ns > _DRAIN_S_MAX * NS_PER_S:
                raise StoreUnavailableError(f"not stored after {_DRAIN_S_MAX:.0f} s")
            if now_ns - said_ns > _SAY_S * NS_PER_S:
                said_ns = now_ns
                self._report("store back")
            self._never.wait(_LOOK_S)

    def _report(self, what: str) -> None:
        sample = self.sample()
        self._progress(
            f"{what}: {sample.status.spans_acked} spans acknowledged, log "
            f"{sample.status.wal_bytes // MIB} MiB, memory {sample.rss_mib:.0f} MiB"
        )
