"""I/O: what `millworth bench ingest` is compared with: a Python loop, and decoding alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from clickhouse_connect.driver.client import Client
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

_ROWS_PER_INSERT = 32_768
_COLUMNS = (
    "Timestamp",
    "TraceId",
    "SpanId",
    "ParentSpanId",
    "SpanName",
    "ServiceName",
    "ResourceAttributes",
    "SpanAttributes",
    "Duration",
    "received_ns",
)


def decode(requests: Sequence[bytes]) -> None:
    """Decode requests with the official schema, and nothing else."""
    for request in requests:
        ExportTraceServiceRequest.FromString(request)


def insert_in_python(client: Client, requests: Sequence[bytes]) -> None:
    """Build rows in a loop over spans and insert them, as a plain Python receiver does.

    A generous rival: fewer columns than ours, large inserts, no log and no answer.
    """
    rows: list[list[object]] = []
    for request in requests:
        rows += _rows(ExportTraceServiceRequest.FromString(request))
        if len(rows) >= _ROWS_PER_INSERT:
            client.insert("otel_traces_in", rows, column_names=_COLUMNS)
            rows = []
    if rows:
        client.insert("otel_traces_in", rows, column_names=_COLUMNS)


def _rows(message: ExportTraceServiceRequest) -> Iterator[list[object]]:
    for resource_spans in message.resource_spans:
        resource = {item.key: _text(item.value) for item in resource_spans.resource.attributes}
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield [
                    span.start_time_unix_nano,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    span.name,
                    resource.get("service.name", ""),
                    resource,
                    {item.key: _text(item.value) for item in span.attributes},
                    span.end_time_unix_nano - span.start_time_unix_nano,
                    span.end_time_unix_nano,
                ]


def _text(value: AnyValue) -> str:
    kind = value.WhichOneof("value")
    return str(getattr(value, kind)) if kind else ""
