"""Pure: Zipkin JSON v2 -> spans.

Source: zipkin-api, zipkin2-api.yaml; zipkin-lens, span-node.
"""

from __future__ import annotations

from attribution.files.jaeger import with_store
from attribution.files.span import (
    NS_PER_US,
    FileSpan,
    Json,
    Origin,
    as_id,
    as_ns,
    as_parent,
    as_text,
    as_word,
    check_times,
    kind_of,
    value_text,
)
from collector.core.errors import DecodeError


def is_span(document: Json) -> bool:
    """Return whether a JSON object is a span of Zipkin's second version."""
    return "traceId" in document and "id" in document


def span_of(span: Json) -> FileSpan:
    """Read one span.

    Raises:
        DecodeError: a value is missing, impossible, or of another type.
    """
    get = span.get
    trace_id, span_id = as_id(get("traceId"), "traceId"), as_id(get("id"), "id")
    start_ns = as_ns(get("timestamp"), NS_PER_US, "timestamp")
    # A one-way call has no duration: nothing waits for it, so it takes none of the path.
    duration = get("duration")
    end_ns = start_ns + (0 if duration is None else as_ns(duration, NS_PER_US, "duration"))
    check_times(start_ns, end_ns)
    endpoint, tags = _object(span, "localEndpoint"), _object(span, "tags")
    host = as_text(endpoint.get("ipv4")) or as_text(endpoint.get("ipv6"))
    return FileSpan(
        trace_id,
        span_id,
        as_parent(get("parentId"), "parentId"),
        as_word(get("name"), "name"),
        kind_of(as_word(get("kind"), "kind") or "internal"),  # what names none is local
        Origin(as_text(endpoint.get("serviceName")), host, is_stated=True, raw=endpoint),
        start_ns,
        end_ns,
        with_store({as_text(name): as_text(value) for name, value in tags.items()}),
        may_be_shared=True,
        raw=span,
    )


def _object(span: Json, name: str) -> Json:
    value = span.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise DecodeError(f"{name} is {value_text(value)}, not an object")
    return value
