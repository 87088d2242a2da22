"""Pure: Zipkin JSON v2 -> spans.

Client and server of one call may share one span id. The server's half then hangs under the
client's, and what names that id as its parent hangs under the half of its own service.

Source: zipkin-api, zipkin2-api.yaml; zipkin-lens, span-node.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial

from attribution.files.jaeger import with_store
from attribution.files.span import (
    NS_PER_US,
    FileSpan,
    Json,
    ReadSpan,
    as_ns,
    as_parent,
    as_text,
    checked,
    kind_of,
)

# Sorts right after the id itself, and no id holds it.
_SERVER_HALF = "\0server"


def is_zipkin(document: Json) -> bool:
    """Return whether a JSON object is a span of Zipkin's second version."""
    return "traceId" in document and "id" in document


def zipkin_span(document: Json) -> Iterator[ReadSpan]:
    """Yield what reads this span."""
    yield partial(_from_json, document)


def _from_json(span: Json) -> FileSpan:
    start_ns = as_ns(span.get("timestamp"), NS_PER_US, "timestamp")
    # A one-way call has no duration: nothing waits for it, so it takes none of the path.
    duration = span.get("duration")
    tags = span.get("tags")
    local = span.get("localEndpoint")
    endpoint = local if isinstance(local, dict) else {}
    pairs = tags.items() if isinstance(tags, dict) else ()
    span_id = as_text(span.get("id"))
    return checked(
        FileSpan(
            trace_id=as_text(span.get("traceId")),
            span_id=span_id,
            parent_id=as_parent(span.get("parentId")),
            name=as_text(span.get("name")),
            kind=kind_of(as_text(span.get("kind")) or "internal"),  # what names none is local
            service=as_text(endpoint.get("serviceName")),
            host=as_text(endpoint.get("ipv4")) or as_text(endpoint.get("ipv6")),
            start_ns=start_ns,
            end_ns=start_ns + (0 if duration is None else as_ns(duration, NS_PER_US, "duration")),
            attributes=with_store({as_text(name): as_text(value) for name, value in pairs}),
        )
    )


def split_shared(spans: Iterable[FileSpan]) -> list[FileSpan]:
    """Give the server's half of a shared span id a key of its own, under the client's half."""
    spans = list(spans)
    services: defaultdict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for span in spans:
        services[span.trace_id, span.span_id].setdefault(span.kind, span.service)
    shared = {
        at: halves for at, halves in services.items() if "Client" in halves and "Server" in halves
    }
    return [_placed(span, shared) for span in spans] if shared else spans


def _placed(span: FileSpan, shared: dict[tuple[str, str], dict[str, str]]) -> FileSpan:
    if span.kind == "Server" and (span.trace_id, span.span_id) in shared:
        return replace(span, key=span.span_id + _SERVER_HALF, parent_id=span.span_id)
    halves = shared.get((span.trace_id, span.parent_id))
    if halves is None or span.service == halves["Client"] != halves["Server"]:
        return span
    return replace(span, parent_id=span.parent_id + _SERVER_HALF)
