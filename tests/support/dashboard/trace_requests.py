"""Trace files as an import reads them: spans, and the requests that they become."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from attribution.files.detect import read_traces
from attribution.files.span import FileSpan
from dashboard.cli.imports.traces.requests import Requests, SharedIds
from tests.support.attribution.detect import Kept


def spans_of(body: bytes) -> list[FileSpan]:
    """Return the spans of a file with what they were read from."""
    kept = Kept()
    read_traces("traces", [body], kept)
    return list(kept)


def requests_of(*bodies: bytes) -> tuple[list[ExportTraceServiceRequest], list[str]]:
    """Return the requests that files become when they are imported together, and refusals."""
    shared = SharedIds()
    for body in bodies:
        read_traces("traces", [body], shared)
    sent: list[ExportTraceServiceRequest] = []
    refused: list[str] = []
    for body in bodies:
        requests = Requests(
            lambda request, _: sent.append(ExportTraceServiceRequest.FromString(request)),
            shared.halves,
        )
        found = read_traces("traces", [body], requests)
        requests.close()
        refused += [*found.refused.lines, *requests.refused.lines]
    return sent, refused


def tree_of(requests: Sequence[ExportTraceServiceRequest]) -> dict[str, tuple[str, str]]:
    """Return service and parent of each span, by its id."""
    return {
        span.span_id.hex(): (
            next(a.value.string_value for a in r.resource.attributes if a.key == "service.name"),
            span.parent_span_id.hex(),
        )
        for request in requests
        for r in request.resource_spans
        for scope in r.scope_spans
        for span in scope.spans
    }
