"""Traces written as files in every format: valid by default, one keyword to change."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

BASE_US = 1_764_000_000_000_000
TRACE = "0af7651916cd43dd8448eb211c80319c"


@dataclass(frozen=True, slots=True)
class F:
    """One span; times are microseconds from BASE_US, the ids short numbers."""

    span_id: int
    parent: int = 0
    start: int = 0
    end: int = 100
    kind: str = "Internal"
    service: str = "shop"
    name: str = "work"
    host: str = ""
    trace: str = TRACE
    attributes: dict[str, str] = field(default_factory=dict)

    @property
    def shown_id(self) -> str:
        """Return the id as files spell it."""
        return hex_id(self.span_id)


def hex_id(number: int) -> str:
    """Return a span id, empty for none."""
    return f"{number:016x}" if number else ""


def otlp_spans(spans: Sequence[F]) -> dict[str, Any]:
    """Return one export request in OTLP/JSON, a resource a span."""
    return {
        "resourceSpans": [
            {
                "resource": {
                    "attributes": [_pair("service.name", s.service), _pair("host.name", s.host)]
                },
                "scopeSpans": [
                    {
                        "spans": [
                            {
                                "traceId": s.trace,
                                "spanId": s.shown_id,
                                "parentSpanId": hex_id(s.parent),
                                "name": s.name,
                                "kind": f"SPAN_KIND_{s.kind.upper()}",
                                "startTimeUnixNano": str((BASE_US + s.start) * 1000),
                                "endTimeUnixNano": str((BASE_US + s.end) * 1000),
                                "attributes": [_pair(k, v) for k, v in s.attributes.items()],
                            }
                        ]
                    }
                ],
            }
            for s in spans
        ]
    }


def otlp_json(spans: Sequence[F]) -> bytes:
    """Return OTLP/JSON, one request."""
    return json.dumps(otlp_spans(spans)).encode()


def otlp_lines(spans: Sequence[F]) -> bytes:
    """Return OTLP/JSON, one request a line."""
    return b"".join(otlp_json([span]) + b"\n" for span in spans)


def otlp_protobuf(spans: Sequence[F]) -> bytes:
    """Return one OTLP request in Protobuf."""
    request = ExportTraceServiceRequest()
    for s in spans:
        resource_spans = request.resource_spans.add()
        for name, value in (("service.name", s.service), ("host.name", s.host)):
            resource_spans.resource.attributes.add(key=name).value.string_value = value
        span = resource_spans.scope_spans.add().spans.add(
            trace_id=bytes.fromhex(s.trace),
            span_id=bytes.fromhex(s.shown_id),
            parent_span_id=bytes.fromhex(hex_id(s.parent)),
            name=s.name,
            kind=Span.SpanKind.Value(f"SPAN_KIND_{s.kind.upper()}"),
            start_time_unix_nano=(BASE_US + s.start) * 1000,
            end_time_unix_nano=(BASE_US + s.end) * 1000,
        )
        for name, value in s.attributes.items():
            span.attributes.add(key=name).value.string_value = value
    return request.SerializeToString()


def jaeger_spans(spans: Sequence[F]) -> list[dict[str, Any]]:
    """Return spans as Jaeger has them; the process is `service@host`."""
    return [
        {
            "traceID": s.trace,
            "spanID": s.shown_id,
            "operationName": s.name,
            "references": [{"refType": "CHILD_OF", "traceID": s.trace, "spanID": hex_id(s.parent)}]
            if s.parent
            else [],
            "startTime": BASE_US + s.start,
            "duration": s.end - s.start,
            "processID": f"{s.service}@{s.host}",
            "tags": [
                {"key": "span.kind", "type": "string", "value": s.kind.lower()},
                *({"key": k, "type": "string", "value": v} for k, v in s.attributes.items()),
            ],
        }
        for s in spans
    ]


def jaeger_json(spans: Sequence[F]) -> bytes:
    """Return an answer of Jaeger's query API, a trace an entry."""
    processes = {
        f"{s.service}@{s.host}": {
            "serviceName": s.service,
            "tags": [{"key": "hostname", "type": "string", "value": s.host}],
        }
        for s in spans
    }
    traces = [
        {
            "traceID": trace,
            "spans": jaeger_spans([s for s in spans if s.trace == trace]),
            "processes": processes,
        }
        for trace in dict.fromkeys(s.trace for s in spans)
    ]
    return json.dumps({"data": traces, "total": 0, "errors": None}).encode()


def zipkin_json(spans: Sequence[F]) -> bytes:
    """Return a list of spans of Zipkin's second version."""
    return json.dumps(
        [
            {
                "traceId": s.trace,
                "id": s.shown_id,
                **({"parentId": hex_id(s.parent)} if s.parent else {}),
                **({"kind": s.kind.upper()} if s.kind != "Internal" else {}),
                "name": s.name,
                "timestamp": BASE_US + s.start,
                "duration": s.end - s.start,
                "localEndpoint": {"serviceName": s.service, "ipv4": s.host},
                "tags": s.attributes,
            }
            for s in spans
        ]
    ).encode()


WRITERS: dict[str, Callable[[Sequence[F]], bytes]] = {
    "otlp_json": otlp_json,
    "otlp_lines": otlp_lines,
    "otlp_protobuf": otlp_protobuf,
    "jaeger_json": jaeger_json,
    "zipkin_json": zipkin_json,
}


def _pair(name: str, value: str) -> dict[str, Any]:
    return {"key": name, "value": {"stringValue": value}}
