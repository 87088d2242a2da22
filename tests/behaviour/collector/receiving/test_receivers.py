"""Both receivers over real sockets, with the official exporters and by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import grpc
import httpx
import pytest
from google.rpc import status_pb2  # type: ignore[import-untyped]  # ships no types
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (
    OTLPSpanExporter as GrpcSpanExporter,
)
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
    OTLPSpanExporter as HttpSpanExporter,
)
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from opentelemetry.trace import Link, SpanKind, StatusCode

from collector.service import CollectorService
from collector.store.connect import Connections
from tests.conftest import NOW_NS
from tests.support.builders import (
    decision_span,
    logs_request,
    outcome,
    span,
    trace_request,
)
from tests.support.collector.clients import LOGS, PROTOBUF, TRACES, WAIT_S, post

pytestmark = pytest.mark.integration


@pytest.fixture
def export(service: CollectorService) -> Iterator[Callable[..., bytes]]:
    """Yield a bare gRPC call: bytes to the service, bytes back."""
    with grpc.insecure_channel(f"127.0.0.1:{service.grpc_port}") as channel:

        def call(method: str, body: bytes) -> bytes:
            unary = channel.unary_unary(method, request_serializer=None, response_deserializer=None)
            answer: bytes = unary(body, timeout=WAIT_S)
            return answer

        yield call


def stored_names(service: CollectorService, store: Connections) -> list[str]:
    """Return the names of all spans, once everything acknowledged is stored."""
    assert service.flush(WAIT_S)
    return [
        row[0]
        for row in store.client().query("SELECT SpanName FROM otel_traces ORDER BY 1").result_rows
    ]


@pytest.mark.parametrize("protocol", ["grpc", "grpc-gzip", "http", "http-gzip"])
def test_official_exporter_finds_its_spans(
    service: CollectorService, store: Connections, protocol: str
) -> None:
    """A customer's service changes an address and nothing else."""
    exporter: SpanExporter
    if protocol.startswith("grpc"):
        exporter = GrpcSpanExporter(
            endpoint=f"127.0.0.1:{service.grpc_port}",
            insecure=True,
            compression=grpc.Compression.Gzip if "gzip" in protocol else None,
        )
    else:
        exporter = HttpSpanExporter(
            endpoint=f"http://127.0.0.1:{service.http_port}/v1/traces",
            compression=Compression.Gzip if "gzip" in protocol else None,
        )
    provider = TracerProvider(resource=Resource({"service.name": "shop", "cores": 2}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("sdk", "2.1")
    root = tracer.start_span("root", kind=SpanKind.SERVER, start_time=NOW_NS)
    root.set_attributes({"n": 1, "f": 0.5, "ok": True, "list": ["a", "b"], "decision.action": "x"})
    root.add_event("picked", {"rank": 3}, timestamp=NOW_NS + 1)
    other = tracer.start_span(
        "other", links=[Link(root.get_span_context(), {"why": "retry"})], start_time=NOW_NS
    )
    other.set_status(StatusCode.ERROR, "no stock")
    other.end(NOW_NS + 5)
    root.end(NOW_NS + 9)
    provider.shutdown()

    assert stored_names(service, store) == ["other", "root"]
    rows = store.client().query("SELECT * FROM otel_traces ORDER BY SpanName").named_results()
    second, first = list(rows)
    assert first["SpanAttributes"] == {
        "n": "1", "f": "0.5", "ok": "true", "list": '["a","b"]', "decision.action": "x"
    }  # fmt: skip
    assert first["ResourceAttributes"] == {"service.name": "shop", "cores": "2"}
    assert (first["Events.Name"], first["Events.Attributes"]) == (["picked"], [{"rank": "3"}])
    assert (first["SpanKind"], first["Duration"], first["ScopeVersion"]) == ("Server", 9, "2.1")
    assert second["Links.TraceId"] == [first["TraceId"]]
    assert second["Links.Attributes"] == [{"why": "retry"}]
    assert (second["StatusCode"], second["StatusMessage"]) == ("Error", "no stock")
    decisions = store.client().query("SELECT trace_id, action FROM decisions").result_rows
    assert decisions == [(first["TraceId"], "x")]


def test_logs_arrive_over_both_transports(
    service: CollectorService,
    store: Connections,
    export: Callable[..., bytes],
    http: httpx.Client,
) -> None:
    """Outcomes are log records, and a shop sends them by what it has."""
    assert export(LOGS, logs_request(outcome(outcome_id="g")).SerializeToString()) == b""
    assert post(http, logs_request(outcome(outcome_id="h")), "/v1/logs").content == b""

    assert service.flush(WAIT_S)
    rows = store.client().query("SELECT outcome_id FROM outcomes ORDER BY 1").result_rows
    assert rows == [("g",), ("h",)]
    assert service.status().logs_acked == 2


def test_partial_success_is_told_in_each_transport(
    service: CollectorService,
    store: Connections,
    export: Callable[..., bytes],
    http: httpx.Client,
) -> None:
    """OK with a count and a reason: the sender must not send the batch again."""
    one, other = (
        trace_request(
            span(name="good"),
            span(trace_id="00" * 16),
            decision_span(stamps_ns=[NOW_NS, NOW_NS - 1]),
        )
        for _ in range(2)
    )
    answers = [
        ExportTraceServiceResponse.FromString(export(TRACES, one.SerializeToString())),
        ExportTraceServiceResponse.FromString(post(http, other).content),
    ]

    for answer in answers:
        assert answer.partial_success.rejected_spans == 2
        assert "trace_id_invalid" in answer.partial_success.error_message
        assert "stamps_out_of_order" in answer.partial_success.error_message
    assert stored_names(service, store) == ["good", "good"]
    status = service.status()
    assert (status.spans_acked, status.spans_stored, status.refused) == (2, 2, 4)


def test_json_request_is_stored_as_the_same_in_protobuf(
    service: CollectorService, store: Connections, http: httpx.Client
) -> None:
    """Hex ids, integers as text or numbers, enumerations as numbers or names, unknown fields."""
    span_json = {
        "traceId": "0AF7651916cd43dd8448eb211c80319c",
        "spanId": "00f067aa0ba902b7",
        "parentSpanId": "00f067aa0ba902b8",
        "name": "one",
        "kind": 2,
        "startTimeUnixNano": str(NOW_NS),
        "endTimeUnixNano": NOW_NS + 3,
        "futureField": {"a": [1]},
        "attributes": [
            {"key": "int", "value": {"intValue": "9007199254740993"}},
            {"key": "number", "value": {"intValue": 7}},
            {"key": "double", "value": {"doubleValue": 0.25}},
            {"key": "bytes", "value": {"bytesValue": "AP8="}},
            {"key": "list", "value": {"arrayValue": {"values": [{"stringValue": "a"}, {}]}}},
            {"key": "map", "value": {"kvlistValue": {"values": [{"key": "k", "value": {}}]}}},
        ],
        "links": [{"traceId": "0af7651916cd43dd8448eb211c80319d", "spanId": "00f067aa0ba902b9"}],
        "status": {"code": "STATUS_CODE_ERROR"},
    }
    second = {**span_json, "spanId": "00f067aa0ba902bb", "name": "two", "kind": "SPAN_KIND_CLIENT"}
    document = {
        "resourceSpans": [
            {
                "resource": {
                    "attributes": [{"key": "service.name", "value": {"stringValue": "js"}}]
                },
                "scopeSpans": [{"spans": [span_json, second]}],
            }
        ]
    }

    answer = http.post("/v1/traces", json=document)

    assert (answer.status_code, answer.json()) == (200, {})
    assert answer.headers["content-type"] == "application/json"
    assert stored_names(service, store) == ["one", "two"]
    (row,) = (
        store.client().query("SELECT * FROM otel_traces WHERE SpanName = 'one'").named_results()
    )
    assert row["TraceId"] == "0af7651916cd43dd8448eb211c80319c"
    assert (row["SpanId"], row["ParentSpanId"]) == ("00f067aa0ba902b7", "00f067aa0ba902b8")
    assert (row["SpanKind"], row["StatusCode"], row["Duration"]) == ("Server", "Error", 3)
    assert row["Links.TraceId"] == ["0af7651916cd43dd8448eb211c80319d"]
    assert row["SpanAttributes"] == {
        "int": "9007199254740993",
        "number": "7",
        "double": "0.25",
        "bytes": "AP8=",
        "list": '["a",null]',
        "map": '{"k":null}',
    }


def test_partial_success_in_json_has_json_names(refusing: httpx.Client) -> None:
    """The answer is in the encoding of the request."""
    answer = refusing.post(
        "/v1/traces", json={"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "x"}]}]}]}
    )

    assert answer.status_code == 200
    assert answer.json()["partialSuccess"]["rejectedSpans"] == "1"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"{", "Expecting property name", id="not JSON"),
        pytest.param(b"[1]", "not an object", id="a list"),
        pytest.param(b"[]", "not an object", id="an empty list"),
        pytest.param(b'{"resourceSpans": 1}', "resourceSpans", id="not a list"),
        pytest.param(b"[" * 100_000, "recursion", id="too deep"),
        pytest.param(b"\xff", "utf-8", id="not UTF-8"),
        pytest.param(
            b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"xyz"}]}]}]}',
            "traceId 'xyz' is not hex",
            id="id is not hex",
        ),
        pytest.param(
            b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"\\ud800"}]}]}]}',
            "OTLP/JSON",
            id="half a surrogate pair",
        ),
        pytest.param(
            b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"kind":1e400}]}]}]}',
            "infinity",
            id="kind beyond every number",
        ),
        pytest.param(
            b'{"resourceSpans":[{"resource":{"attributes":[{"key":"a","value":{"doubleValue":%s}}]}}]}'
            % (b"1" * 400),
            "too large",
            id="double of 400 digits",
        ),
    ],
)
def test_bad_json_is_answered_with_a_status(
    refusing: httpx.Client, body: bytes, reason: str
) -> None:
    """400 with google.rpc.Status as JSON: the sender drops it and can say why."""
    answer = refusing.post("/v1/traces", content=body, headers={"content-type": "application/json"})

    assert answer.status_code == 400
    assert answer.json()["code"] == 3
    assert reason in json.dumps(answer.json()) or "OTLP/JSON" in answer.json()["message"]


def test_bad_protobuf_is_answered_with_a_status(
    export: Callable[..., bytes], http: httpx.Client
) -> None:
    """INVALID_ARGUMENT, or 400 with google.rpc.Status in Protobuf."""
    answer = http.post("/v1/traces", content=b"\xff", headers={"content-type": PROTOBUF})
    assert (answer.status_code, answer.headers["content-type"]) == (400, PROTOBUF)
    assert "not an OTLP traces request" in status_pb2.Status.FromString(answer.content).message

    with pytest.raises(grpc.RpcError) as raised:
        export(TRACES, b"\xff")
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/v1/traces", {}, 405),
        ("POST", "/v1/profiles", {"content-type": PROTOBUF}, 404),
        ("POST", "/", {"content-type": PROTOBUF}, 404),
        ("POST", "/v1/traces", {}, 415),
        ("POST", "/v1/traces", {"content-type": "text/plain"}, 415),
        ("POST", "/v1/traces", {"content-type": PROTOBUF, "content-encoding": "br"}, 415),
        ("POST", "/v1/traces", {"content-type": PROTOBUF, "content-encoding": "gzip"}, 400),
        ("POST", "/v1/traces", {"content-type": f"{PROTOBUF}; charset=utf-8"}, 400),
    ],
)
def test_what_is_not_otlp_is_told_so(
    refusing: httpx.Client, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    """Every error has google.rpc.Status as its body, as OTLP asks."""
    answer = refusing.request(method, path, headers=headers, content=b"\x01")

    assert answer.status_code == status
    assert status_pb2.Status.FromString(answer.content).message
    assert (answer.headers.get("allow") == "POST") == (status == 405)


def test_empty_request_is_a_success(
    service: CollectorService, export: Callable[..., bytes], http: httpx.Client
) -> None:
    """OTLP says so; nothing of it is stored."""
    assert export(TRACES, b"") == b""
    assert post(http, trace_request()).status_code == 200
    assert http.post("/v1/traces", json={}).json() == {}
    assert service.status().wal_bytes == 0


def test_log_answer_names_log_records(refusing: httpx.Client) -> None:
    """Partial success of logs has a message of its own."""
    answer = post(refusing, logs_request(outcome(time_ns=1)), "/v1/logs")

    partial = ExportLogsServiceResponse.FromString(answer.content).partial_success
    assert partial.rejected_log_records == 1
