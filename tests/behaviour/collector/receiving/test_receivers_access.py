"""Senders with and without tokens, over real sockets, with the official exporters and by hand."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import grpc
import httpx
import pytest
import requests
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # ships no types
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (
    OTLPSpanExporter as GrpcSpanExporter,
)
from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
    OTLPSpanExporter as HttpSpanExporter,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter

from collector.auth.gate import Gate, load_tokens
from collector.auth.tokens import AccessConfig, TokenConfig, hash_text
from collector.core.clock import Clock
from collector.core.config import CollectorConfig, StoreConfig, TlsConfig
from collector.core.counters import Counters
from collector.core.errors import ConfigError
from collector.service import CollectorService
from collector.store.connect import Connections
from tests.conftest import NOW_NS, ManualClock
from tests.support.builders import logs_request, outcome, span, trace_request
from tests.support.certificates import Authority
from tests.support.collector.clients import LOGS, PROTOBUF, TRACES, WAIT_S

pytestmark = pytest.mark.integration

REFUSED = trace_request(span(trace_id="")).SerializeToString()
OUTCOMES = logs_request(outcome()).SerializeToString()
LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)


def entry(name: str, *scopes: str, **more: object) -> TokenConfig:
    """Return the settings of a token that is `mwt_` and its name."""
    values = {"name": name, "hash": hash_text(f"mwt_{name}"), "scopes": scopes, **more}
    return TokenConfig.model_validate(values)


ACCESS = AccessConfig(
    tokens=(
        entry("shop", "traces"),
        entry("till", "logs", "outcomes"),
        entry("logger", "logs"),
        entry("reader", "read"),
        entry("once", "traces", requests_per_s=1),
        entry("past", "traces", expires=LONG_AGO),
    )
)


@contextmanager
def collecting(
    store: Connections, directory: Path, clock: Clock, tls: TlsConfig | None = None
) -> Iterator[tuple[CollectorService, Counters]]:
    """Yield a collector that asks for tokens."""
    config = CollectorConfig(grpc_port=0, http_port=0, tls=tls or TlsConfig())
    counters = Counters()
    gate = Gate(load_tokens(ACCESS), counters, clock)
    service = CollectorService(config, store, directory / "wal", counters, clock, gate=gate)
    service.start()
    try:
        yield service, counters
    finally:
        service.stop(10)


@pytest.fixture
def running(tmp_path: Path, clock: ManualClock) -> Iterator[tuple[CollectorService, Counters]]:
    """Yield a collector to which a test sends nothing that can be stored."""
    with collecting(Connections(StoreConfig()), tmp_path, clock) as collector:
        yield collector


Answer = tuple[int, str, int | None]  # HTTP status or gRPC's name, the reason, seconds to wait


def by_http(service: CollectorService, path: str, body: bytes, token: str | None) -> Answer:
    """Send one request; return status, reason and when to come back."""
    headers = {"content-type": PROTOBUF}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    url = f"http://127.0.0.1:{service.http_port}/v1/{'logs' if path == LOGS else 'traces'}"
    with httpx.Client(trust_env=False, timeout=WAIT_S) as client:
        answer = client.post(url, content=body, headers=headers)
    if answer.status_code == 200:
        return 200, "", None
    status = status_pb2.Status.FromString(answer.content)
    assert (answer.status_code == 401) == ("www-authenticate" in answer.headers)
    seconds = retry_seconds(status)
    assert answer.headers.get("retry-after") == (None if seconds is None else str(seconds))
    return answer.status_code, status.message, seconds


def by_grpc(service: CollectorService, path: str, body: bytes, token: str | None) -> Answer:
    """Send one request; return status (as HTTP has it), reason and when to come back."""
    metadata = () if token is None else (("authorization", f"Bearer {token}"),)
    with grpc.insecure_channel(f"127.0.0.1:{service.grpc_port}") as channel:
        try:
            channel.unary_unary(path, None, None)(body, timeout=WAIT_S, metadata=metadata)
        except grpc.RpcError as error:
            details = {item.key: item.value for item in error.trailing_metadata() or ()}
            status = status_pb2.Status.FromString(details.get("grpc-status-details-bin", b""))
            return AS_HTTP[error.code()], error.details() or "", retry_seconds(status)
    return 200, "", None


AS_HTTP = {
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
}
BOTH = pytest.mark.parametrize("send", [by_http, by_grpc])
Send = Callable[[CollectorService, str, bytes, str | None], Answer]


def retry_seconds(status: object) -> int | None:
    """Return what RetryInfo says, None where there is none."""
    assert isinstance(status, status_pb2.Status)
    retry = error_details_pb2.RetryInfo()
    if not status.details:
        return None
    assert status.details[0].Unpack(retry)
    seconds: int = retry.retry_delay.seconds
    return seconds


@BOTH
@pytest.mark.parametrize(
    ("path", "body", "token", "status", "said"),
    [
        pytest.param(TRACES, REFUSED, "mwt_shop", 200, "", id="its own"),
        pytest.param(TRACES, REFUSED, None, 401, "a token is needed", id="none"),
        pytest.param(TRACES, REFUSED, "mwt_no", 401, "not known here", id="a wrong one"),
        pytest.param(TRACES, REFUSED, "mwt_past", 401, "past has expired", id="an old one"),
        pytest.param(TRACES, REFUSED, "mwt_logger", 403, "no scope traces", id="no traces"),
        pytest.param(TRACES, REFUSED, "mwt_reader", 403, "no scope traces", id="a reader"),
        pytest.param(LOGS, OUTCOMES, "mwt_logger", 403, "no scope outcomes", id="no outcomes"),
        pytest.param(TRACES, b"\xff", None, 401, "a token is needed", id="nobody's rubbish"),
    ],
)
def test_token_decides_what_a_sender_is_told(
    running: tuple[CollectorService, Counters],
    send: Send,
    path: str,
    body: bytes,
    token: str | None,
    status: int,
    said: str,
) -> None:
    """None of these may be retried, and a stranger's bytes are not even looked at."""
    answered, reason, seconds = send(running[0], path, body, token)
    assert (answered, seconds) == (status, None)
    assert said in reason
    assert running[0].status().spans_acked == 0


@BOTH
def test_sender_over_its_limit_is_told_when_to_come_back(
    running: tuple[CollectorService, Counters], send: Send, clock: ManualClock
) -> None:
    """Retryable: RESOURCE_EXHAUSTED with RetryInfo, 429 with Retry-After."""
    service, counters = running
    assert send(service, TRACES, REFUSED, "mwt_once")[0] == 200
    status, reason, seconds = send(service, TRACES, REFUSED, "mwt_once")
    assert (status, seconds) == (429, 1)
    assert "token once sent as much as it may" in reason
    clock.ns += 10**9
    assert send(service, TRACES, REFUSED, "mwt_once")[0] == 200
    listener = "grpc" if send is by_grpc else "http"
    assert counters.denied.labels(listener, "once", "rate")._value.get() == 1
    assert counters.admitted.labels(listener, "once")._value.get() == 2


def test_outcome_in_json_needs_its_scope_as_well(
    running: tuple[CollectorService, Counters],
) -> None:
    """An escape in JSON hides the name from whoever only looks at the bytes."""
    record = {"timeUnixNano": str(NOW_NS), "eventName": "decision.outcome"}
    body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]})
    body = body.replace("decision.", "\\u0064ecision.")
    answer = httpx.post(
        f"http://127.0.0.1:{running[0].http_port}/v1/logs",
        content=body,
        headers={"content-type": "application/json", "authorization": "Bearer mwt_logger"},
        trust_env=False,
    )
    assert (answer.status_code, answer.json()["code"]) == (403, 7)
    assert running[0].status().logs_acked == 0


def test_body_of_a_stranger_is_not_waited_for(
    running: tuple[CollectorService, Counters],
) -> None:
    """The answer comes before the body does: it holds no memory."""
    with socket.create_connection(("127.0.0.1", running[0].http_port), WAIT_S) as connection:
        connection.sendall(
            b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n"
            b"content-type: application/x-protobuf\r\n\r\n"
        )
        assert connection.recv(12) == b"HTTP/1.1 401"


def test_official_exporters_send_with_token_and_tls(
    store: Connections, tmp_path: Path, clock: ManualClock
) -> None:
    """An address, a header and a certificate are all that changes in a customer's service."""
    authority = Authority(tmp_path)
    server, own = authority.issue("server"), authority.issue("shop")
    tls = TlsConfig(cert_file=server.cert, key_file=server.key, client_ca_file=authority.ca)
    with collecting(store, tmp_path, clock, tls) as (service, counters):
        over_grpc = GrpcSpanExporter(
            endpoint=f"https://localhost:{service.grpc_port}",
            credentials=grpc.ssl_channel_credentials(
                authority.ca.read_bytes(), own.key.read_bytes(), own.cert.read_bytes()
            ),
            headers=(("authorization", "Bearer mwt_shop"),),
        )
        # Where REQUESTS_CA_BUNDLE is set, as in many images, it would beat the exporter's own.
        session = requests.Session()
        session.trust_env = False
        over_http = HttpSpanExporter(
            session=session,
            endpoint=f"https://localhost:{service.http_port}/v1/traces",
            certificate_file=str(authority.ca),
            client_key_file=str(own.key),
            client_certificate_file=str(own.cert),
            headers={"authorization": "Bearer mwt_shop"},
        )
        _export("over-grpc", over_grpc)
        _export("over-http", over_http)
        assert service.flush(WAIT_S)
        assert counters.admitted.labels("grpc", "shop")._value.get() == 1
        assert counters.admitted.labels("http", "shop")._value.get() == 1
    rows = store.client().query(
        "SELECT SpanName, SpanAttributes['n'] FROM otel_traces ORDER BY SpanName"
    )
    assert rows.result_rows == [("over-grpc", "7"), ("over-http", "7")]


def test_whose_authority_is_taken_out_is_out_without_a_restart(
    tmp_path: Path, clock: ManualClock
) -> None:
    """An open connection does not go on for as long as its sender likes."""
    ours, theirs = Authority(tmp_path), Authority(tmp_path, "evil")
    server, own = ours.issue("server"), theirs.issue("shop")
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(ours.ca.read_bytes() + theirs.ca.read_bytes())
    tls = TlsConfig(
        cert_file=server.cert,
        key_file=server.key,
        client_ca_file=trusted,
        client_seconds_max=0.2,
    )
    context = ssl.create_default_context(cafile=ours.ca)
    context.load_cert_chain(own.cert, own.key)
    credentials = grpc.ssl_channel_credentials(
        ours.ca.read_bytes(), own.key.read_bytes(), own.cert.read_bytes()
    )
    metadata = (("authorization", "Bearer mwt_shop"),)
    with (
        collecting(Connections(StoreConfig()), tmp_path, clock, tls) as (service, _),
        httpx.Client(verify=context, trust_env=False, timeout=WAIT_S) as http,
        grpc.secure_channel(f"localhost:{service.grpc_port}", credentials) as channel,
    ):
        call = channel.unary_unary(TRACES, None, None)
        url = f"https://localhost:{service.http_port}/v1/traces"
        headers = {"content-type": PROTOBUF, **dict(metadata)}

        assert http.post(url, content=b"", headers=headers).status_code == 200
        assert call(b"", timeout=WAIT_S, metadata=metadata) == b""
        trusted.write_bytes(ours.ca.read_bytes())
        with pytest.raises(httpx.TransportError):
            _go_on(lambda: http.post(url, content=b"", headers=headers))
        with pytest.raises(grpc.RpcError) as refused:
            _go_on(lambda: call(b"", timeout=WAIT_S, metadata=metadata))
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


def _go_on(send: Callable[[], object]) -> NoReturn:
    while True:
        send()


def _export(name: str, exporter: SpanExporter) -> None:
    provider = TracerProvider(resource=Resource({"service.name": "shop"}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    started = provider.get_tracer("sdk").start_span(name, start_time=NOW_NS)
    started.set_attribute("n", 7)
    started.end(NOW_NS + 5)
    provider.shutdown()


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_collector_does_not_open_its_door_to_the_network(tmp_path: Path, host: str) -> None:
    """Nothing is bound, and the log's directory is free for the next start."""
    config = CollectorConfig(host=host, grpc_port=0, http_port=0)
    nowhere = Connections(StoreConfig())
    for _ in range(2):
        service = CollectorService(
            config, nowhere, tmp_path / "wal", Counters(), ManualClock(NOW_NS)
        )
        with pytest.raises(ConfigError, match=r"collector\.host: OTLP/gRPC would listen on"):
            service.start()
