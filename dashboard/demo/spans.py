"""Pure: spans as an SDK would send them, for traffic of our own: benchmarks and drills."""

from __future__ import annotations

from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span

__all__ = ["ExportTraceServiceRequest", "ScopeSpans", "Span", "add_span", "put", "scope_of"]


def scope_of(message: ExportTraceServiceRequest, service_name: str) -> ScopeSpans:
    """Return a place for the spans of one service."""
    resource = message.resource_spans.add()
    put(resource.resource.attributes, "service.name", service_name)
    return resource.scope_spans.add()


def add_span(
    scope: ScopeSpans, trace_id: bytes, span_id: bytes, parent: bytes, kind: int, name: str
) -> Span:
    """Return a new span, whose times are still to be set."""
    span = scope.spans.add()
    span.trace_id, span.span_id, span.parent_span_id = trace_id, span_id, parent
    span.kind = kind  # type: ignore[assignment]  # an enum is an int on the wire
    span.name = name
    return span


def put(attributes: Any, key: str, value: str | int) -> None:  # noqa: ANN401  protobuf's repeated field
    """Add an attribute."""
    attribute = attributes.add()
    attribute.key = key
    if isinstance(value, int):
        attribute.value.int_value = value
    else:
        attribute.value.string_value = value
