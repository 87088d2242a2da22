"""How the collector starts, stops, and says no when it is asked for more than it may hold."""

from __future__ import annotations

import gzip
import socket
from pathlib import Path

import grpc
import httpx
import pytest
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # ships no types

from collector.core.errors import AddressInUseError, InputError
from collector.service import CollectorService
from collector.store.connect import Connections
from tests.support.builders import span, trace_request
from tests.support.collector.clients import PROTOBUF, TRACES, WAIT_S, post, storeless

pytestmark = pytest.mark.integration

SMALL_BYTES = 64 * 1024


def test_request_over_the_limit_is_refused_also_when_it_is_compressed(tmp_path: Path) -> None:
    """A small body may expand to more than there is memory; the bound holds while it expands."""
    service = storeless(tmp_path / "wal", body_bytes_max=SMALL_BYTES)
    service.start()
    url = f"http://127.0.0.1:{service.http_port}/v1/traces"
    bomb = bytes(100 * SMALL_BYTES)
    zipped = {"content-type": PROTOBUF, "content-encoding": "gzip"}
    try:
        with httpx.Client(trust_env=False, timeout=WAIT_S) as client:
            plain = client.post(url, content=bomb, headers={"content-type": PROTOBUF})
            packed = client.post(url, content=gzip.compress(bomb), headers=zipped)
            chunks = client.post(
                url,
                content=(bomb[:SMALL_BYTES] for _ in range(3)),
                headers={"content-type": PROTOBUF},
            )
            parts = gzip.compress(
                trace_request(span(trace_id="")).SerializeToString()
            ) + gzip.compress(b"")
            two_members = client.post(url, content=parts, headers=zipped)
        assert [plain.status_code, packed.status_code, chunks.status_code] == [413, 413, 413]
        assert two_members.status_code == 200
        for compression in (grpc.Compression.NoCompression, grpc.Compression.Gzip):
            with grpc.insecure_channel(f"127.0.0.1:{service.grpc_port}") as channel:
                call = channel.unary_unary(
                    TRACES, request_serializer=None, response_deserializer=None
                )
                with pytest.raises(grpc.RpcError) as raised:
                    call(bomb, timeout=WAIT_S, compression=compression)
                assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    finally:
        service.stop(WAIT_S)


def test_full_log_asks_the_sender_to_retry(tmp_path: Path) -> None:
    """Retryable in both transports, with the time to wait; nothing is accepted and then lost."""
    service = storeless(tmp_path / "wal", wal_bytes_max=250)
    service.start()
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{service.http_port}", trust_env=False, timeout=WAIT_S
        ) as client:
            assert post(client, trace_request(span())).status_code == 200
            answer = post(client, trace_request(span()))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        with grpc.insecure_channel(f"127.0.0.1:{service.grpc_port}") as channel:
            call = channel.unary_unary(TRACES, request_serializer=None, response_deserializer=None)
            with pytest.raises(grpc.RpcError) as raised:
                call(trace_request(span()).SerializeToString(), timeout=WAIT_S)
        error = raised.value
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        details = {item.key: item.value for item in error.trailing_metadata()}[
            "grpc-status-details-bin"
        ]
        retry = error_details_pb2.RetryInfo()
        assert status_pb2.Status.FromString(details).details[0].Unpack(retry)
        assert retry.retry_delay.seconds == 1  # nothing has left the log yet, in no time at all
        assert service.status().spans_acked == 1
    finally:
        service.stop(0)


@pytest.mark.parametrize("key", ["grpc_port", "http_port"])
def test_taken_port_is_named_with_its_key(tmp_path: Path, key: str) -> None:
    """gRPC would share a taken port by default, and half the spans would go elsewhere."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        service = storeless(tmp_path / "wal", **{key: port})

        with pytest.raises(AddressInUseError, match=f"127.0.0.1:{port} .*collector.{key}"):
            service.start()

        service.stop(0)


def test_second_collector_cannot_take_the_ports_of_the_first(
    tmp_path: Path,
) -> None:
    """Both sockets refuse to be shared, whoever was first."""
    first = storeless(tmp_path / "first")
    first.start()
    for key, port in (("grpc_port", first.grpc_port), ("http_port", first.http_port)):
        with pytest.raises(AddressInUseError):
            storeless(tmp_path / "second", **{key: port}).start()
    first.stop(WAIT_S)


def test_log_directory_that_is_a_file_ends_the_start(tmp_path: Path) -> None:
    """One line that names the directory and the remedy."""
    (tmp_path / "wal").touch()

    with pytest.raises(InputError, match=r"collector\.wal_dir: cannot use"):
        storeless(tmp_path / "wal").start()


def test_stop_stores_what_was_acknowledged(
    service: CollectorService, store: Connections, http: httpx.Client, tmp_path: Path
) -> None:
    """A clean stop leaves an empty log, and what its retries are known by."""
    post(http, trace_request(span(name="last")))

    assert service.stop(WAIT_S)
    assert service.stop(WAIT_S)  # once more is harmless
    assert store.client().query("SELECT SpanName FROM otel_traces").result_rows == [("last",)]
    left = sorted(path.name for path in (tmp_path / "wal").iterdir())
    assert left == [
        "identifiers.key", "identifiers.kids", "lock", "receipts.key", "traces.reader",
        "traces.receipts",
    ]  # fmt: skip
