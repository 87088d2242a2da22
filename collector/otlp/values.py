"""Pure: attribute values as the clickhouseexporter renders them, where the store cannot.

The view in the store renders text, numbers, bytes and flat arrays. ClickHouse's Protobuf reader has
no recursive message, so a list of pairs, or an array inside an array, is rendered here and put in
its place as text, between the log and the store (ADR 002). Such values are rare, and finding that
there are none costs one more pass of the C parser, not a loop over attributes. The compiled module
renders spans itself (`collector.otlp.native`).

Source: pcommon.Value.AsString of opentelemetry-collector as of PR 15108 (2026-04): Go's
encoding/json without HTML escapes.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Iterator

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from collector.otlp.go_json import double_text, quoted
from collector.otlp.merged_schema import merged_classes
from collector.otlp.metrics import metric_attributes

Request = ExportTraceServiceRequest | ExportLogsServiceRequest | ExportMetricsServiceRequest

_TOP_MESSAGES = {"traces": "Traces", "logs": "Logs", "metrics": "Metrics"}

# Only the way to a value that nests. `Never` has a required field that no sender sets, the largest
# number there is, so that a request which reaches it is not "initialized", and that is decided in
# C. A message that is not on the way is skipped as unknown (0.5 us a span, for 1.0 of one each).
_PROBE: dict[str, dict[int, str]] = {
    "Never": {536_870_911: "!int32"},
    "Item": {5: "Never", 6: "Never"},
    "Array": {1: "Item"},
    "Value": {5: "Array", 6: "Never"},
    "Pair": {2: "Value"},
    "Resource": {1: "Pair"},
    "Scope": {3: "Pair"},
    "Event": {3: "Pair"},
    "Link": {4: "Pair"},
    "Span": {9: "Pair", 11: "Event", 13: "Link"},
    "ScopeSpans": {1: "Scope", 2: "Span"},
    "ResourceSpans": {1: "Resource", 2: "ScopeSpans"},
    "Traces": {1: "ResourceSpans"},
    "LogRecord": {5: "Value", 6: "Pair"},
    "ScopeLogs": {1: "Scope", 2: "LogRecord"},
    "ResourceLogs": {1: "Resource", 2: "ScopeLogs"},
    "Logs": {1: "ResourceLogs"},
    "Exemplar": {7: "Pair"},
    "NumberPoint": {5: "Exemplar", 7: "Pair"},
    "HistogramPoint": {8: "Exemplar", 9: "Pair"},
    "ExponentialPoint": {1: "Pair", 11: "Exemplar"},
    "SummaryPoint": {7: "Pair"},
    "Numbers": {1: "NumberPoint"},
    "Histogram": {1: "HistogramPoint"},
    "Exponential": {1: "ExponentialPoint"},
    "Summary": {1: "SummaryPoint"},
    "Metric": {
        5: "Numbers",
        7: "Numbers",
        9: "Histogram",
        10: "Exponential",
        11: "Summary",
    },
    "ScopeMetrics": {1: "Scope", 2: "Metric"},
    "ResourceMetrics": {1: "Resource", 2: "ScopeMetrics"},
    "Metrics": {1: "ResourceMetrics"},
}
_LISTS = ("array_value", "kvlist_value")


_CLASSES = merged_classes("millworth.probe", _PROBE)


def has_deep_values(signal: str, body: bytes) -> bool:
    """Return whether any value of a request is a list of pairs or an array that holds one.

    Args:
        signal: traces, logs or metrics.
        body: bytes that parse as an export request of that signal.
    """
    return not _CLASSES[_TOP_MESSAGES[signal]].FromString(body).IsInitialized()


def flatten_deep_values(request: Request) -> None:
    """Put the exporter's text in the place of every value that the store could not render."""
    for value in _values(request):
        if _is_deep(value):
            value.string_value = value_text(value)


def value_text(value: AnyValue) -> str:
    """Return a value as pcommon.Value.AsString does; an empty value is empty text."""
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return value.string_value
    if kind == "double_value":
        return double_text(value.double_value)
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    if kind in _LISTS:
        try:
            return json_text(value)
        except ValueError:
            return ""  # the exporter drops what Go cannot marshal, an infinity or NaN inside
    if kind in ("bool_value", "int_value"):
        return json_text(value)
    return ""


def json_text(value: AnyValue) -> str:
    """Return a value as Go's encoding/json writes pcommon.Value.AsRaw.

    Raises:
        ValueError: an infinity or NaN is inside, which JSON does not have.
    """
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return quoted(value.string_value)
    if kind == "bool_value":
        return "true" if value.bool_value else "false"
    if kind == "int_value":
        return str(value.int_value)
    if kind == "double_value":
        if not math.isfinite(value.double_value):
            raise ValueError(f"{value.double_value} is not a JSON number")
        return double_text(value.double_value)
    if kind == "bytes_value" and value.bytes_value:
        return f'"{base64.b64encode(value.bytes_value).decode()}"'
    if kind == "array_value":
        return f"[{','.join(json_text(item) for item in value.array_value.values)}]"
    if kind == "kvlist_value":
        by_key = {pair.key: pair.value for pair in value.kvlist_value.values}  # the last one counts
        # Go sorts by the bytes of the key.
        ordered = sorted(by_key.items(), key=lambda pair: pair[0].encode())
        return f"{{{','.join(f'{quoted(key)}:{json_text(item)}' for key, item in ordered)}}}"
    return "null"  # nothing, or no bytes: Go marshals a nil slice as null


def _is_deep(value: AnyValue) -> bool:
    kind = value.WhichOneof("value")
    if kind != "array_value":
        return kind == "kvlist_value"
    return any(
        item.WhichOneof("value") in ("array_value", "kvlist_value")
        for item in value.array_value.values
    )


def _values(request: Request) -> Iterator[AnyValue]:
    for pairs in _attribute_sets(request):
        for pair in pairs:
            yield pair.value
    if isinstance(request, ExportLogsServiceRequest):
        for resource_logs in request.resource_logs:
            for scope_logs in resource_logs.scope_logs:
                for record in scope_logs.log_records:
                    yield record.body


def _attribute_sets(request: Request) -> Iterator[Iterable[KeyValue]]:
    if isinstance(request, ExportLogsServiceRequest):
        for resource_logs in request.resource_logs:
            yield resource_logs.resource.attributes
            for scope_logs in resource_logs.scope_logs:
                yield scope_logs.scope.attributes
                for record in scope_logs.log_records:
                    yield record.attributes
        return
    if isinstance(request, ExportMetricsServiceRequest):
        yield from metric_attributes(request)
        return
    for resource_spans in request.resource_spans:
        yield resource_spans.resource.attributes
        for scope_spans in resource_spans.scope_spans:
            yield scope_spans.scope.attributes
            for span in scope_spans.spans:
                yield span.attributes
                for event in span.events:
                    yield event.attributes
                for link in span.links:
                    yield link.attributes
