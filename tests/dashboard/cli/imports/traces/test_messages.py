from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf import json_format
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from attribution.files.span import FileSpan
from collector.core.errors import DecodeError
from dashboard.cli.imports.traces.messages import (
    message_of,
    named_resource,
    resource_of,
    scope_of,
    server_half,
)
from tests.support.attribution.trace_files import (
    BASE_US,
    TRACE,
    F,
    jaeger_json,
    otlp_json,
    otlp_spans,
    zipkin_json,
)
from tests.support.dashboard.trace_requests import spans_of


def only(body: bytes) -> FileSpan:
    """Return the one span of a file."""
    [span] = spans_of(body)
    return span


def attributes(node: Any) -> dict[str, Any]:  # noqa: ANN401  whatever message has attributes
    """Return attributes with their types."""
    return {
        pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in node.attributes
    }


def jaeger(**changed: object) -> bytes:
    """Return a file of one span of Jaeger's with these fields."""
    document = json.loads(jaeger_json([F(1, host="10.0.0.1")]))
    trace = document["data"][0]
    trace["spans"][0].update(changed)
    return json.dumps(document).encode()


def test_otlp_stays_as_it_was() -> None:
    """What a file of OTLP holds is what a sender would have sent: types, events, links, scope."""
    request = otlp_spans([F(1, kind="Server")])
    scope = request["resourceSpans"][0]["scopeSpans"][0]
    scope["scope"] = {"name": "lib", "version": "2"}
    scope["spans"][0].update(
        attributes=[
            {"key": "n", "value": {"intValue": "7"}},
            {"key": "x", "value": {"doubleValue": 0.1}},
            {"key": "l", "value": {"arrayValue": {"values": [{"boolValue": True}]}}},
        ],
        events=[{"timeUnixNano": "5", "name": "e", "attributes": []}],
        links=[{"traceId": "a" * 32, "spanId": "b" * 16, "traceState": "x=y"}],
        traceState="k=v",
        flags=257,
        status={"code": "STATUS_CODE_ERROR", "message": "no"},
    )

    span = only(json.dumps(request).encode())
    found = message_of(span)

    assert attributes(found)["n"] == 7
    assert attributes(found)["x"] == 0.1
    assert attributes(found)["l"].values[0].bool_value
    assert [(e.time_unix_nano, e.name) for e in found.events] == [(5, "e")]
    assert (found.trace_state, found.flags) == ("k=v", 257)
    assert (found.status.code, found.status.message) == (Status.STATUS_CODE_ERROR, "no")
    [link] = found.links
    assert (link.trace_id.hex(), link.span_id.hex()) == ("a" * 32, "b" * 16)
    assert (link.trace_state, scope_of(span).name, scope_of(span).version) == ("x=y", "lib", "2")
    assert attributes(resource_of(span.origin))["service.name"] == "shop"


def test_jaeger_becomes_otlp() -> None:
    """Its tags have types, its logs are events, and some tags are fields of OTLP."""
    span = only(
        jaeger(
            tags=[
                {"key": "span.kind", "type": "string", "value": "server"},
                {"key": "n", "type": "int64", "value": 7},
                {"key": "big", "type": "int64", "value": "9007199254740993"},
                {"key": "x", "type": "float64", "value": 0.5},
                {"key": "raw", "type": "binary", "value": "AQI="},
                {"key": "error", "type": "bool", "value": True},
                {"key": "otel.scope.name", "type": "string", "value": "lib"},
                {"key": "db.type", "type": "string", "value": "redis"},
            ],
            logs=[
                {
                    "timestamp": BASE_US + 3,
                    "fields": [
                        {"key": "event", "type": "string", "value": "hit"},
                        {"key": "k", "type": "bool", "value": False},
                    ],
                }
            ],
        )
    )

    found = message_of(span)

    assert attributes(found) == {
        "n": 7, "big": 9007199254740993, "x": 0.5, "raw": b"\1\2", "db.type": "redis",
        "db.system": "redis",
    }  # fmt: skip
    assert (found.kind, found.status.code) == (Span.SPAN_KIND_SERVER, Status.STATUS_CODE_ERROR)
    [event] = found.events
    assert (event.name, event.time_unix_nano) == ("hit", (BASE_US + 3) * 1000)
    assert attributes(event) == {"k": False}
    assert scope_of(span).name == "lib"
    assert attributes(resource_of(span.origin)) == {"service.name": "shop", "host.name": "10.0.0.1"}


@pytest.mark.parametrize(
    ("tags", "named"),
    [
        ({"hostname": "h1"}, {"host.name": "h1"}),
        ({"ip": "10.0.0.1", "hostname": "h1"}, {"host.ip": "10.0.0.1", "host.name": "h1"}),
        ({"hostname": "h1", "host.name": "h2"}, {"hostname": "h1", "host.name": "h2"}),
    ],
)
def test_machine_of_a_process_of_jaeger_is_named_by_what_it_is(
    tags: dict[str, str], named: dict[str, str]
) -> None:
    """The name of a machine was its address, which the file does not say."""
    document = json.loads(jaeger())
    [process] = document["data"][0]["processes"].values()
    process["tags"] = [{"key": k, "type": "string", "value": v} for k, v in tags.items()]
    origin = only(json.dumps(document).encode()).origin

    assert attributes(resource_of(origin)) == {"service.name": "shop", **named}
    assert named.items() >= attributes(named_resource(origin)).items() - {("service.name", "shop")}


def test_zipkin_becomes_otlp() -> None:
    """Its endpoints are both ends of a connection, its annotations events."""
    [document] = json.loads(zipkin_json([F(1, kind="Client", host="10.0.0.1")]))
    document["localEndpoint"]["port"] = 81
    document["remoteEndpoint"] = {"serviceName": "stock", "ipv4": "10.0.0.2", "port": 82}
    document["annotations"] = [{"timestamp": BASE_US, "value": "ws"}]
    document["tags"] = {"error": "timeout"}

    span = only(json.dumps([document]).encode())
    found = message_of(span)

    assert attributes(found) == {
        "error": "timeout", "network.local.address": "10.0.0.1", "network.local.port": 81,
        "network.peer.address": "10.0.0.2", "network.peer.port": 82, "peer.service": "stock",
    }  # fmt: skip
    assert (found.status.code, found.status.message) == (Status.STATUS_CODE_ERROR, "timeout")
    assert [event.name for event in found.events] == ["ws"]
    assert attributes(resource_of(span.origin)) == {"service.name": "shop", "host.ip": "10.0.0.1"}


def test_short_ids_are_filled_up() -> None:
    """Jaeger leaves leading zeros out, and traces of 64 bits are older than OTLP."""
    found = message_of(only(jaeger(traceID="ab", spanID="1f")))

    assert (found.trace_id.hex(), found.span_id.hex()) == ("ab".rjust(32, "0"), "1f".rjust(16, "0"))


@pytest.mark.parametrize("kind", ["CHILD_OF", "FOLLOWS_FROM"])
@pytest.mark.parametrize("spelled", ["ab", "AB", "00ab", "ab".rjust(32, "0")])
def test_parent_is_of_the_same_trace_however_that_is_spelled(kind: str, spelled: str) -> None:
    """Spans of before and after Jaeger began to fill ids up with zeros lie in one trace."""
    to = {"refType": kind, "traceID": spelled, "spanID": "2a"}
    found = message_of(only(jaeger(traceID="ab", references=[to])))

    assert (found.parent_span_id.hex(), len(found.links)) == ("2a".rjust(16, "0"), 0)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"traceID": "by-hand"}, "the trace id 'by-hand' is not 32 hex digits, or fewer"),
        ({"spanID": "1" * 17}, "the span id '11111111111111111' is not 16 hex digits, or fewer"),
        ({"logs": [{"timestamp": "soon"}]}, "timestamp is 'soon', not a number"),
        (
            {"references": [{"refType": "FOLLOWS_FROM", "traceID": "x", "spanID": "1"}]},
            "the trace id of a link 'x' is not 32 hex digits, or fewer",
        ),
    ],
)
def test_what_has_no_place_in_otlp_is_refused(changed: dict[str, object], why: str) -> None:
    """An id that is made up here would be another span each time."""
    with pytest.raises(DecodeError, match=why):
        message_of(only(jaeger(**changed)))


@pytest.mark.parametrize(
    "value",
    [
        {"intValue": "1e999"},
        {"intValue": str(2**70)},
        {"stringValue": "\ud800"},
        {"arrayValue": {"values": 7}},
    ],
)
def test_values_that_are_not_otlp_cost_their_span(value: dict[str, object]) -> None:
    """The reader of files takes more than the wire has."""
    request = otlp_spans([F(1)])
    span = request["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    span["attributes"] = [{"key": "k", "value": value}]
    found = spans_of(json.dumps(request).encode())

    for each in found:
        with pytest.raises(DecodeError, match="not OTLP"):
            message_of(each)


def test_a_server_half_has_one_id_each_time() -> None:
    """What is imported again is known again; no other process may draw another id."""
    assert server_half(bytes.fromhex(TRACE), b"12345678").hex() == "a5fe73721bade907"


def test_every_field_of_json_is_one_of_protobuf() -> None:
    """A field of a newer OTLP that is left out here would be lost in silence."""
    known = set(json_format.MessageToDict(message_of(only(otlp_json([F(1, 2)])))))

    assert known == {
        "traceId", "spanId", "parentSpanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano",
    }  # fmt: skip
