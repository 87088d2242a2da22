"""What a sender may hold of connections, calls and time; over real sockets, with small limits."""

from __future__ import annotations

import gzip
import queue
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from backports import zstd
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # ships no types

from collector.core.clock import Clock, SystemClock
from collector.core.config import CollectorConfig, StoreConfig
from collector.core.counters import Counters
from collector.core.disk import Disk
from collector.core.times import NS_PER_S
from collector.receive.grpc_deadlines import CROWDED_SECONDS_MAX, SlowReads
from collector.service import CollectorService
from collector.store.connect import Connections
from tests.conftest import ManualClock
from tests.support.builders import span, trace_request
from tests.support.collector.clients import TRACES, WAIT_S

pytestmark = pytest.mark.integration

# Nothing is stored: every item of it is refused.
REFUSED = trace_request(span(trace_id="")).SerializeToString()
SHORT_S = 0.1
# Longer than a busy machine takes from the connection to what is sent over it.
HEAD_S = 0.5
HEAD = b"POST /v1/traces HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/x-protobuf\r\n"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


@contextmanager
def collecting(
    directory: Path, disk: Disk | None = None, clock: Clock | None = None, **limits: object
) -> Iterator[tuple[CollectorService, Counters]]:
    """Yield a collector with these limits that never asks its store."""
    config = CollectorConfig.model_validate({"grpc_port": 0, "http_port": 0, **limits})
    counters, nowhere = Counters(), Connections(StoreConfig())
    service = CollectorService(
        config, nowhere, directory / "wal", counters, clock or SystemClock(), disk=disk
    )
    service.start()
    try:
        yield service, counters
    finally:
        service.stop(0)


def connected(port: int) -> socket.socket:
    """Return a connection that does not wait for ever."""
    return socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)


def read_all(connection: socket.socket) -> bytes:
    """Return what comes until the other side closes; a reset is its way to close as well."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def ended(counters: Counters, listener: str, reason: str) -> float:
    """Return how many connections or calls were ended for a reason."""
    value: float = counters.connections_refused.labels(listener, reason)._value.get()
    return value


@pytest.mark.parametrize(
    ("sent", "status", "reason"),
    [
        pytest.param(b"", b"408", "slow_head", id="nothing at all"),
        pytest.param(b"POST /v1/tra", b"408", "slow_head", id="half a request line"),
        pytest.param(HEAD, b"408", "slow_head", id="half a head"),
        pytest.param(b"\r\n\r\n", b"408", "slow_head", id="empty lines"),
        pytest.param(HEAD + b"a: b\r\n" * 20_000, b"431", "large_head", id="a head without end"),
    ],
)
def test_head_that_does_not_come_is_given_up(
    tmp_path: Path, sent: bytes, status: bytes, reason: str
) -> None:
    """Otherwise a handful of idle senders holds every connection that there is."""
    seconds = HEAD_S if reason == "slow_head" else WAIT_S
    with collecting(tmp_path, head_seconds_max=seconds) as (service, counters):
        with connected(service.http_port) as connection:
            connection.sendall(sent)
            answer = read_all(connection)
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert ended(counters, "http", reason) == 1


def test_body_that_trickles_is_given_up_and_the_connection_closed(tmp_path: Path) -> None:
    """A byte now and then does not buy more time."""
    with (
        collecting(tmp_path, read_seconds_max=SHORT_S, head_seconds_max=SHORT_S) as (service, _),
        connected(service.http_port) as connection,
    ):
        connection.sendall(HEAD + b"content-length: 1000000\r\n\r\n")
        trickle = threading.Event()
        sender = threading.Thread(target=_trickle, args=(connection, trickle))
        sender.start()
        answer = read_all(connection)
        trickle.set()
        sender.join()
    assert answer.startswith(b"HTTP/1.1 408")


def _trickle(connection: socket.socket, enough: threading.Event) -> None:
    try:
        while not enough.wait(SHORT_S / 10):
            connection.send(b"x")
    except OSError:
        return


def test_connection_without_a_request_is_closed(tmp_path: Path) -> None:
    """After an answer as well; nothing is said, because nothing was asked."""
    body = HEAD + b"content-length: %d\r\n\r\n" % len(REFUSED) + REFUSED
    with (
        collecting(tmp_path, idle_seconds_max=SHORT_S) as (service, _),
        connected(service.http_port) as connection,
    ):
        connection.sendall(body)
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.count(b"HTTP/1.1") == 1


def test_connections_are_limited_and_a_place_is_given_back(tmp_path: Path) -> None:
    """Those over the limit are told to come back; when one leaves, another may enter."""
    request = HEAD + b"connection: close\r\ncontent-length: 0\r\n\r\n"
    with (
        collecting(tmp_path, connections_max=2) as (service, counters),
        connected(service.http_port) as first,
        connected(service.http_port) as second,
    ):
        for connection in (first, second):
            connection.sendall(HEAD + b"content-length: 0\r\n\r\n")
            assert connection.recv(12) == b"HTTP/1.1 200"
        with connected(service.http_port) as third:
            refused = read_all(third)
        assert refused.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 1\r\n" in refused
        assert ended(counters, "http", "too_many") == 1
        second.sendall(request)
        read_all(second)
        with connected(service.http_port) as fourth:
            fourth.sendall(request)
            assert read_all(fourth).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_bomb_over_http_is_refused(tmp_path: Path, encoding: str) -> None:
    """Twenty MiB after decompression and one byte more: 413, which is not retried."""
    plain = bytes(20 * 1024 * 1024 + 1)
    bomb = gzip.compress(plain, 1) if encoding == "gzip" else zstd.compress(plain, 1)
    head = HEAD + b"connection: close\r\ncontent-encoding: %s\r\n" % encoding.encode()
    with collecting(tmp_path) as (service, _), connected(service.http_port) as connection:
        connection.sendall(head + b"content-length: %d\r\n\r\n" % len(bomb) + bomb)
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"the body is over 20971520 bytes" in answer


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_bomb_over_grpc_is_refused(tmp_path: Path, compression: grpc.Compression) -> None:
    """gRPC expands it itself and stops at a limit of its own, four times ours."""
    with (
        collecting(tmp_path) as (service, _),
        channel_to(service) as export,
        pytest.raises(grpc.RpcError) as raised,
    ):
        export(bytes(80 * 1024 * 1024 + 1), timeout=WAIT_S, compression=compression)
    assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert retry_seconds(raised.value) is None


@contextmanager
def channel_to(service: CollectorService) -> Iterator[Callable[..., bytes]]:
    """Yield a bare call over a connection of its own."""
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(f"127.0.0.1:{service.grpc_port}", options=options) as channel:
        yield channel.unary_unary(TRACES, request_serializer=None, response_deserializer=None)


def retry_seconds(error: grpc.RpcError) -> int | None:
    """Return what the error's RetryInfo says, None where it has none."""
    details = {item.key: item.value for item in error.trailing_metadata() or ()}
    if "grpc-status-details-bin" not in details:
        return None
    retry = error_details_pb2.RetryInfo()
    status = status_pb2.Status.FromString(details["grpc-status-details-bin"])
    assert status.details[0].Unpack(retry)
    seconds: int = retry.retry_delay.seconds
    return seconds


class HeldDisk(Disk):
    """A disk that syncs no file before a test lets it."""

    def __init__(self) -> None:
        self.may_sync = threading.Event()

    def sync(self, descriptor: int) -> None:
        """Wait, then sync."""
        assert self.may_sync.wait(WAIT_S)
        super().sync(descriptor)


def test_calls_over_the_limit_are_told_when_to_come_back(
    tmp_path: Path, clock: ManualClock
) -> None:
    """gRPC's own limit says nothing of a retry, and a sender would drop its batch."""
    disk = HeldDisk()
    bodies = [trace_request(span()).SerializeToString() for _ in range(4 + 3)]
    with collecting(tmp_path, disk, clock, calls_max=4) as (service, counters):
        errors = queue.SimpleQueue[grpc.RpcError | None]()
        senders = [threading.Thread(target=_send, args=(service, body, errors)) for body in bodies]
        for sender in senders:
            sender.start()
        refused = [errors.get(timeout=WAIT_S) for _ in range(3)]
        disk.may_sync.set()
        answered = [errors.get(timeout=WAIT_S) for _ in range(4)]
        for sender in senders:
            sender.join()
        for error in refused:
            assert error is not None
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert retry_seconds(error) == 1  # none has ended yet, in no time at all
        assert answered == [None] * 4
        assert service.status().spans_acked == 4
        assert ended(counters, "grpc", "too_many") == 3
        with channel_to(service) as export:
            assert export(bodies[0], timeout=WAIT_S) == b""


def _send(
    service: CollectorService, body: bytes, errors: queue.SimpleQueue[grpc.RpcError | None]
) -> None:
    try:
        with channel_to(service) as export:
            export(body, timeout=WAIT_S)
    except grpc.RpcError as error:
        errors.put(error)
    else:
        errors.put(None)


def test_half_a_grpc_message_is_given_up(tmp_path: Path) -> None:
    """A thread waits for each message; without a limit a few senders would hold all of them."""
    with collecting(tmp_path, read_seconds_max=SHORT_S) as (service, counters):
        with grpc.insecure_channel(f"127.0.0.1:{service.grpc_port}") as channel:
            never = threading.Event()
            with pytest.raises(grpc.RpcError) as raised:
                channel.stream_unary(TRACES, None, None)(_nothing(never), timeout=WAIT_S)
            never.set()
        # OTLP has a sender retry what was cancelled.
        assert raised.value.code() is grpc.StatusCode.CANCELLED
        assert ended(counters, "grpc", "slow_body") == 1
        with channel_to(service) as export:
            assert export(REFUSED, timeout=WAIT_S)


def _nothing(never: threading.Event) -> Iterator[bytes]:
    never.wait(WAIT_S)
    yield from ()


def test_grpc_call_without_a_message_is_no_request(tmp_path: Path) -> None:
    """It is told so, and holds nothing."""
    with (
        collecting(tmp_path) as (service, _),
        grpc.insecure_channel(f"127.0.0.1:{service.grpc_port}") as channel,
        pytest.raises(grpc.RpcError) as raised,
    ):
        channel.stream_unary(TRACES, None, None)(iter(()), timeout=WAIT_S)
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(PREFACE[:10], id="half the preface"),
        pytest.param(PREFACE, id="no settings"),
    ],
)
def test_grpc_connection_that_does_not_begin_is_closed(tmp_path: Path, sent: bytes) -> None:
    """The same as for HTTP; gRPC's own limit is two minutes."""
    with (
        collecting(tmp_path, head_seconds_max=SHORT_S) as (service, _),
        connected(service.grpc_port) as connection,
    ):
        connection.sendall(sent)
        read_all(connection)


def test_grpc_connection_without_a_call_is_closed(tmp_path: Path) -> None:
    """It is told to go with GOAWAY, which is frame type 7."""
    settings = PREFACE + struct.pack(">HBBBI", 0, 0, 4, 0, 0)
    with (
        collecting(tmp_path, idle_seconds_max=SHORT_S) as (service, _),
        connected(service.grpc_port) as connection,
    ):
        connection.sendall(settings)
        assert 7 in frame_types(read_all(connection))


def frame_types(data: bytes) -> list[int]:
    """Return the types of HTTP/2 frames."""
    types, at = [], 0
    while at + 9 <= len(data):
        length = int.from_bytes(data[at : at + 3])
        types.append(data[at + 3])
        at += 9 + length
    return types


def test_grpc_connections_are_limited(tmp_path: Path) -> None:
    """The one over the limit is closed at once; the others are served."""
    with collecting(tmp_path, connections_max=1) as (service, _), channel_to(service) as export:
        assert export(REFUSED, timeout=WAIT_S)
        with connected(service.grpc_port) as other:
            assert read_all(other) == b""
        assert export(REFUSED, timeout=WAIT_S)


class Ending:
    """A call that notes that it was ended."""

    def __init__(self) -> None:
        self.is_ended = False

    def cancel(self) -> None:
        """Note it."""
        self.is_ended = True


def test_slow_message_gives_its_thread_up_sooner_where_others_wait(clock: ManualClock) -> None:
    """One slow sender has its time; thirty-two of them shall not stop everyone else."""
    crowd: list[bool] = []
    slow_reads = _watched(30.0, crowd, clock)
    call, late = Ending(), Ending()
    with slow_reads.reading(call):
        clock.ns += round(CROWDED_SECONDS_MAX * NS_PER_S)
        slow_reads.sweep()
        assert not call.is_ended
        with slow_reads.reading(late):
            crowd.append(True)
            slow_reads.sweep()
    assert (call.is_ended, late.is_ended) == (True, False)


def test_message_that_came_is_watched_no_more(clock: ManualClock) -> None:
    """A call that waits for its sync is not a slow sender."""
    slow_reads = _watched(1.0, [], clock)
    call = Ending()
    with slow_reads.reading(call):
        pass
    clock.ns += 60 * NS_PER_S
    slow_reads.sweep()
    assert not call.is_ended


def _watched(seconds_max: float, crowd: list[bool], clock: Clock) -> SlowReads:
    return SlowReads(seconds_max, lambda: bool(crowd), Counters(), "grpc", clock)


def test_stop_does_not_wait_for_a_slow_sender_who_is_told_to_come_back(tmp_path: Path) -> None:
    """A restart takes seconds, whoever is in the middle of a body; 503 is retried."""
    with collecting(tmp_path) as (service, _), connected(service.http_port) as slow:
        slow.sendall(HEAD + b"content-length: 1000\r\nexpect: 100-continue\r\n\r\n")
        assert slow.recv(100).startswith(b"HTTP/1.1 100")  # its body is being read
        service.stop(0)
        answer = read_all(slow)
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"retry-after: 1\r\n" in answer
