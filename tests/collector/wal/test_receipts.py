"""Equal bytes that come again are answered as the first time, and stored once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import grpc
import httpx
import pytest
from google.protobuf.message import Message
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Gauge, Metric, NumberDataPoint

from collector.core.config import CollectorConfig
from collector.core.counters import Counters
from collector.core.disk import Disk
from collector.core.times import NS_PER_S
from collector.service import CollectorService
from collector.store.connect import Connections
from collector.wal.frames import encode_frame
from collector.wal.receipts import WINDOW_NS, Receipts
from tests.conftest import NOW_NS, ManualClock
from tests.support.builders import logs_request, metrics_request, outcome, span, trace_request
from tests.support.collector.clients import LOGS, METRICS, TRACES, WAIT_S, post

pytestmark = pytest.mark.integration

TAKEN: Final = ExportTraceServiceResponse()


class HeldDisk(Disk):
    """A disk that holds every sync until a test says otherwise."""

    def __init__(self) -> None:
        self.is_asked = threading.Event()
        self.may_sync = threading.Event()

    def sync(self, descriptor: int) -> None:
        """Wait until it may, then sync."""
        self.is_asked.set()
        assert self.may_sync.wait(WAIT_S)
        super().sync(descriptor)


class FullDisk(Disk):
    """A disk without room, until a test makes some."""

    def __init__(self) -> None:
        self.is_full = True

    def sync(self, descriptor: int) -> None:
        """Sync, where there is room."""
        if self.is_full:
            raise OSError(28, "No space left on device")
        super().sync(descriptor)


@contextmanager
def collecting(
    store: Connections,
    clock: ManualClock,
    directory: Path,
    counters: Counters,
    disk: Disk | None = None,
) -> Iterator[tuple[CollectorService, httpx.Client]]:
    """Yield a collector over a directory that others had before, and a client of it."""
    config = CollectorConfig(grpc_port=0, http_port=0)
    service = CollectorService(config, store, directory, counters, clock, disk=disk)
    service.start()
    url = f"http://127.0.0.1:{service.http_port}"
    try:
        with httpx.Client(base_url=url, timeout=WAIT_S, trust_env=False) as client:
            yield service, client
    finally:
        service.stop(WAIT_S)


def count(store: Connections, table: str = "otel_traces") -> int:
    """Return the rows of a table."""
    rows = store.client().query("SELECT count() FROM {t:Identifier}", {"t": table}).result_rows
    return int(rows[0][0])


def repeated(counters: Counters, signal: str = "traces") -> float:
    """Return how many requests were answered from a receipt."""
    labels = {"signal": signal}
    return counters.registry.get_sample_value("millworth_repeated_total", labels) or 0.0


def spans() -> Message:
    """Return a request of two spans."""
    return trace_request(span(), span())


def records() -> Message:
    """Return a request of two log records."""
    return logs_request(outcome(), outcome())


def points() -> Message:
    """Return a request of two points."""
    data = [NumberDataPoint(time_unix_nano=NOW_NS, as_int=number) for number in range(2)]
    return metrics_request(Metric(name="queue", gauge=Gauge(data_points=data)))


@pytest.mark.parametrize(
    ("path", "signal", "make", "table"),
    [
        pytest.param(TRACES, "traces", spans, "otel_traces", id="traces"),
        pytest.param(LOGS, "logs", records, "otel_logs", id="logs"),
        pytest.param(METRICS, "metrics", points, "otel_metrics_gauge", id="metrics"),
    ],
)
def test_request_that_comes_again_is_stored_once(
    service: CollectorService,
    store: Connections,
    http: httpx.Client,
    counters: Counters,
    path: str,
    signal: str,
    make: Callable[[], Message],
    table: str,
) -> None:
    """Over either transport, before and after the store has it."""
    request = make()
    with grpc.insecure_channel(f"127.0.0.1:{service.grpc_port}") as channel:
        export = channel.unary_unary(path, None, None)
        export(request.SerializeToString(), timeout=WAIT_S)
        assert post(http, request, f"/v1/{signal}").status_code == 200
        assert service.flush(WAIT_S)
        export(request.SerializeToString(), timeout=WAIT_S)
    assert service.flush(WAIT_S)

    assert count(store, table) == 2
    assert repeated(counters, signal) == 2


def test_answer_of_a_retry_is_the_first_one(http: httpx.Client, service: CollectorService) -> None:
    """What was refused of the first is refused of the second, and counts once."""
    request = trace_request(span(), span(trace_id="00" * 16))
    answers = [ExportTraceServiceResponse.FromString(post(http, request).content) for _ in "ab"]

    assert answers[0] == answers[1]
    assert answers[0].partial_success.rejected_spans == 1
    assert (service.status().spans_acked, service.status().refused) == (1, 1)


def test_equal_records_without_a_time_are_two(
    http: httpx.Client, service: CollectorService, store: Connections
) -> None:
    """Equal bytes with a time are the same event; `backup done` twice a day is two."""
    request = logs_request(LogRecord(event_name="backup done"))
    for _ in range(2):
        assert post(http, request, "/v1/logs").status_code == 200
    assert service.flush(WAIT_S)

    assert count(store, "otel_logs") == 2


def test_retry_while_the_first_is_under_way_waits_for_its_sync(
    store: Connections, clock: ManualClock, tmp_path: Path, counters: Counters
) -> None:
    """It is in the log already, and an answer before the sync would be a promise of nothing."""
    disk = HeldDisk()
    request = spans()
    waiting = threading.Event()
    with collecting(store, clock, tmp_path, counters, disk) as (service, client):
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(post, client, request)
            assert disk.is_asked.wait(WAIT_S)
            retry = pool.submit(post, client, request)
            while not repeated(counters):
                waiting.wait(0.01)
            assert not retry.done()
            disk.may_sync.set()
            assert [first.result().status_code, retry.result().status_code] == [200, 200]
        assert service.flush(WAIT_S)

    assert count(store) == 2


def test_request_that_could_not_be_logged_is_taken_when_it_comes_again(
    store: Connections, clock: ManualClock, tmp_path: Path, counters: Counters
) -> None:
    """A receipt of what is not on the disk would lose it."""
    disk = FullDisk()
    request = spans()
    with collecting(store, clock, tmp_path, counters, disk) as (service, client):
        assert post(client, request).status_code == 503
        disk.is_full = False
        assert post(client, request).status_code == 200
        assert service.flush(WAIT_S)

    assert count(store) == 2
    assert repeated(counters) == 0


def test_retry_after_a_restart_is_answered(
    store: Connections, clock: ManualClock, tmp_path: Path, counters: Counters
) -> None:
    """The sender hears nothing of a service that stops, and comes back to the next one."""
    request = trace_request(span(), span(trace_id="00" * 16))
    for _ in range(3):
        with collecting(store, clock, tmp_path, counters) as (_, client):
            answer = ExportTraceServiceResponse.FromString(post(client, request).content)
            assert answer.partial_success.rejected_spans == 1
        clock.ns += 60 * NS_PER_S

    assert count(store) == 1
    assert repeated(counters) == 2


def test_retry_of_what_a_killed_service_left_in_its_log_is_answered(
    store: Connections, clock: ManualClock, tmp_path: Path, counters: Counters
) -> None:
    """Killed between the write and the answer: the log has it, and its sender does not know."""
    request = spans()
    with collecting(store, clock, tmp_path / "first", counters) as (_, client):
        assert post(client, request).status_code == 200
        (segment,) = (tmp_path / "first").glob("*.segment")
        left = segment.read_bytes()
        (tmp_path / "killed").mkdir()
        (tmp_path / "killed" / "receipts.key").write_bytes(
            (tmp_path / "first" / "receipts.key").read_bytes()
        )
    store.client().command("TRUNCATE TABLE otel_traces")
    (tmp_path / "killed" / segment.name).write_bytes(left)
    for _ in range(2):  # the second one finds the segment gone
        with collecting(store, clock, tmp_path / "killed", counters) as (service, client):
            assert post(client, request).status_code == 200
            assert service.flush(WAIT_S)

    assert count(store) == 2
    assert repeated(counters) == 2


@pytest.fixture
def receipts(tmp_path: Path, clock: ManualClock) -> Receipts:
    """Return receipts of which four make a generation."""
    return Receipts(tmp_path, "traces", clock, Disk(), kept_max=4)


def take(receipts: Receipts, directory: Path, clock: ManualClock, *requests: bytes) -> None:
    """Take requests, and seal the segment that holds them."""
    digests = [receipts.digest(request) for request in requests]
    for digest in digests:
        receipt, is_new = receipts.claim(digest, TAKEN)
        assert is_new
        receipt.synced.set_result(None)
    clock.ns += 1
    receipts.save(directory / f"traces-{clock.ns:020}-000001-00000000.segment", digests)


def test_receipts_are_bounded_in_memory_and_on_disk(
    receipts: Receipts, tmp_path: Path, clock: ManualClock
) -> None:
    """Of a million requests the newest are known, and the older ones cost nothing."""
    receipts.open(())
    requests = [str(number).encode() for number in range(40)]
    for first in range(0, 40, 2):
        take(receipts, tmp_path, clock, *requests[first : first + 2])
    known = [request for request in requests if receipts.find(receipts.digest(request))]
    later = Receipts(tmp_path, "traces", clock, Disk(), kept_max=4)
    later.open(())

    assert requests[-4:] == known[-4:]
    assert len(known) <= 8
    assert [r for r in known if not later.is_earlier(later.digest(r))] == []
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 8 * 40


def test_receipt_is_kept_for_the_window_and_not_for_ever(
    receipts: Receipts, tmp_path: Path, clock: ManualClock
) -> None:
    """Agents give up after five minutes; what comes an hour later was sent on purpose."""
    receipts.open(())
    take(receipts, tmp_path, clock, b"one")
    digest = receipts.digest(b"one")
    clock.ns += WINDOW_NS - 2
    take(receipts, tmp_path, clock, b"two")
    assert receipts.find(digest) is not None
    clock.ns += 3 * WINDOW_NS
    assert receipts.find(digest) is None
    for request in (b"three", b"four", b"five"):
        take(receipts, tmp_path, clock, request)
        clock.ns += WINDOW_NS

    later = Receipts(tmp_path, "traces", clock, Disk(), kept_max=4)
    later.open(())
    assert not later.is_earlier(digest)


def test_damaged_frame_is_not_known(receipts: Receipts, tmp_path: Path, clock: ManualClock) -> None:
    """A power cut leaves parts of what nobody was told of: its retry has to be taken."""
    digests = [receipts.digest(request) for request in (b"whole", b"half")]
    segment = tmp_path / f"traces-{NOW_NS:020}-000001-00000000.segment"
    receipts.open(())
    frames = [encode_frame(b"whole" * 9, NOW_NS, 1, digests[0])]
    damaged = bytearray(encode_frame(b"half" * 9, NOW_NS, 1, digests[1]))
    damaged[30] ^= 1
    segment.write_bytes(b"".join(frames) + damaged)
    later = Receipts(tmp_path, "traces", clock, Disk())
    later.open([segment])

    assert [later.is_earlier(digest) for digest in digests] == [True, False]


@pytest.mark.parametrize("size", range(0, 60, 3))
def test_torn_file_loses_receipts_and_nothing_else(
    receipts: Receipts, tmp_path: Path, clock: ManualClock, size: int
) -> None:
    """A power cut tears it anywhere; what is written after that is read again."""
    receipts.open(())
    take(receipts, tmp_path, clock, b"one")
    take(receipts, tmp_path, clock, b"two")
    path = tmp_path / "traces.receipts"
    path.write_bytes(path.read_bytes()[:size])
    torn = Receipts(tmp_path, "traces", clock, Disk())
    torn.open(())
    take(torn, tmp_path, clock, b"three")
    later = Receipts(tmp_path, "traces", clock, Disk())
    later.open(())

    assert later.is_earlier(later.digest(b"three"))
    assert later.is_earlier(later.digest(b"one")) is (size >= 32)


def test_receipts_that_found_no_room_are_saved_when_there_is_some(
    tmp_path: Path, clock: ManualClock
) -> None:
    """A disk that was full for a while must not cost what is known."""
    disk = FullDisk()
    receipts = Receipts(tmp_path, "traces", clock, disk)
    receipts.open(())
    take(receipts, tmp_path, clock, b"one")
    disk.is_full = False
    take(receipts, tmp_path, clock, b"two")
    later = Receipts(tmp_path, "traces", clock, disk)
    later.open(())

    assert later.is_earlier(later.digest(b"one"))
    assert later.is_earlier(later.digest(b"two"))


def test_what_a_sender_puts_in_the_place_of_a_digest_is_not_one(
    receipts: Receipts, tmp_path: Path, clock: ManualClock, store: Connections, counters: Counters
) -> None:
    """Or whoever knows what another will send could have it taken for sent."""
    digest = bytes(range(16))
    body = b"\xe2\x3e\x10" + digest + spans().SerializeToString()
    with collecting(store, clock, tmp_path, counters) as (service, client):
        sent = client.post(
            "/v1/traces", content=body, headers={"content-type": "application/x-protobuf"}
        )
        assert sent.status_code == 200
        (segment,) = tmp_path.glob("*.segment")
        later = Receipts(tmp_path / "later", "traces", clock, Disk())
        (tmp_path / "later").mkdir()
        later.open([segment])
        assert service.flush(WAIT_S)

    assert not later.is_earlier(digest)
    assert count(store) == 2
