"""A request that is too large is refused for good, in the same words over both transports."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import httpx
import pytest
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]  # ships no types

from collector.core.config import CollectorConfig, StoreConfig
from collector.core.counters import Counters
from collector.core.errors import ConfigError
from collector.core.log import configure
from collector.service import CollectorService
from collector.store.connect import Connections
from tests.conftest import ManualClock
from tests.support.builders import span, trace_request
from tests.support.collector.clients import PROTOBUF, TRACES, WAIT_S

pytestmark = pytest.mark.integration

BYTES_MAX = 10_000
TRIES_MAX = 2_000
SMALL = trace_request(span()).SerializeToString()
LARGE = trace_request(*(span() for _ in range(200))).SerializeToString()


@contextmanager
def collecting(
    directory: Path, counters: Counters, clock: ManualClock, **limits: int
) -> Iterator[CollectorService]:
    """Yield a collector whose store is never asked."""
    config = CollectorConfig.model_validate({"grpc_port": 0, "http_port": 0, **limits})
    service = CollectorService(config, Connections(StoreConfig()), directory, counters, clock)
    service.start()
    try:
        yield service
    finally:
        service.stop(0)


def posted(service: CollectorService, body: bytes, **headers: str) -> httpx.Response:
    """Send over HTTP."""
    return httpx.post(
        f"http://127.0.0.1:{service.http_port}/v1/traces",
        content=body,
        headers={"content-type": PROTOBUF, **headers},
        timeout=WAIT_S,
        trust_env=False,
    )


def called(
    service: CollectorService, body: bytes, compression: grpc.Compression | None = None
) -> grpc.RpcError:
    """Send over gRPC; return the refusal."""
    with (
        grpc.insecure_channel(f"127.0.0.1:{service.grpc_port}") as channel,
        pytest.raises(grpc.RpcError) as raised,
    ):
        channel.unary_unary(TRACES, None, None)(body, timeout=WAIT_S, compression=compression)
    return raised.value


def refused(counters: Counters, reason: str) -> float | None:
    """Return how many requests were refused for a reason."""
    labels = {"signal": "traces", "reason": reason}
    return counters.registry.get_sample_value("millworth_refused_total", labels)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param(f"content-type: {PROTOBUF}\r\n", b"413", id="too large"),
        pytest.param("content-type: text/plain\r\n", b"415", id="of no type"),
    ],
)
def test_sender_that_sends_all_before_it_reads_is_told(
    tmp_path: Path, counters: Counters, clock: ManualClock, headers: str, status: bytes
) -> None:
    """As a proxy does, which makes a 502 of a connection that is reset, and senders retry that."""
    size = 21_000_000  # more than is taken by default, and than the kernel's buffers hold
    with (
        collecting(tmp_path, counters, clock) as service,
        socket.create_connection(("127.0.0.1", service.http_port), timeout=WAIT_S) as connection,
    ):
        connection.sendall(
            f"POST /v1/traces HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n{headers}"
            f"content-length: {size}\r\n\r\n".encode()
            + bytes(size)
        )
        answer = b""
        while part := connection.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 " + status)


@pytest.mark.parametrize("key", ["wal_bytes_max", "body_bytes_max"])
def test_request_that_never_fits_is_not_asked_to_come_again(
    tmp_path: Path,
    counters: Counters,
    clock: ManualClock,
    capsys: pytest.CaptureFixture[str],
    key: str,
) -> None:
    """An agent that is told `later` for ever sends nothing of what waits behind it."""
    configure(json=True)
    with collecting(tmp_path, counters, clock, **{key: BYTES_MAX}) as service:
        answers = [posted(service, LARGE) for _ in range(2)]
        zipped = posted(service, gzip.compress(LARGE), **{"content-encoding": "gzip"})
        errors = [called(service, LARGE, how) for how in (None, grpc.Compression.Gzip)]
        assert posted(service, SMALL).status_code == 200

    reasons = [Status.FromString(answer.content).message for answer in (*answers, zipped)]
    reasons += [str(error.details()) for error in errors]
    assert len(set(reasons)) == 1
    assert f"raise collector.{key}" in reasons[0]
    assert "send smaller batches" in reasons[0]
    assert [answer.status_code for answer in answers] == [413, 413]
    assert [error.code() for error in errors] == [grpc.StatusCode.INVALID_ARGUMENT] * 2
    assert not any("retry-after" in answer.headers for answer in answers)
    assert not any(
        item.key == "grpc-status-details-bin"
        for error in errors
        for item in error.trailing_metadata()
    )
    assert refused(counters, "too_large") == 5
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    said = [line for line in lines if line["event"] == "request_too_large"]
    assert [line["transport"] for line in said] == ["http", "grpc"], "once a minute each"
    assert {line["reason"] for line in said} == set(reasons)


def test_call_that_grpc_refuses_itself_is_counted(
    tmp_path: Path, counters: Counters, clock: ManualClock
) -> None:
    """Of a message of four times the limit we see only that it does not come."""
    with collecting(tmp_path, counters, clock, body_bytes_max=len(LARGE) // 4 - 1) as service:
        assert called(service, LARGE).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        # The caller has its answer before our thread sees that the call is over.
        for _ in range(TRIES_MAX):
            if refused(counters, "unread") == 1:
                break
            assert posted(service, SMALL).status_code == 200

    assert refused(counters, "unread") == 1


def test_call_without_a_message_is_counted(
    tmp_path: Path, counters: Counters, clock: ManualClock
) -> None:
    """It is also what a refusal of gRPC's own looks like where we hear of its end too late."""
    with (
        collecting(tmp_path, counters, clock) as service,
        grpc.insecure_channel(f"127.0.0.1:{service.grpc_port}") as channel,
        pytest.raises(grpc.RpcError, match="the call has no message") as raised,
    ):
        channel.stream_unary(TRACES, None, None)(iter(()), timeout=WAIT_S)
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refused(counters, "unread") == 1


def test_limits_that_contradict_each_other_are_named() -> None:
    """`config check` said that the settings were good, and agents stood still."""
    CollectorConfig().check_limits()
    config = CollectorConfig(wal_bytes_max=1_500_000)
    with pytest.raises(
        ConfigError, match=r"body_bytes_max is 20971520 and .*wal_bytes_max 1500000"
    ):
        config.check_limits()
