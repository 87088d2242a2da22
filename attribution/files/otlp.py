"""Pure: OTLP traces of a file, JSON and Protobuf -> spans.

The JSON is read as it is, not through Protobuf's parser, so that one span with a bad value costs
that span and not the file. Older and neighbouring spellings are taken:
`instrumentationLibrarySpans`, Tempo's `batches` and `trace`, the `result` of Jaeger's third API,
and fields in snake_case, which Protobuf's JSON may have as well.

Source: opentelemetry-proto docs/specification.md, "JSON Protobuf Encoding".
"""

from __future__ import annotations

import json
import string
from collections.abc import Iterable, Iterator
from functools import partial

from google.protobuf import message
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span

from attribution.files.span import (
    FileSpan,
    Json,
    ReadSpan,
    as_ns,
    as_parent,
    as_text,
    checked,
    clock_error_of,
    host_of,
    kind_of,
    members,
)
from attribution.path.spans import KINDS
from collector.core.errors import DecodeError
from collector.otlp.values import double_text, value_text

_HEX = frozenset(string.hexdigits)
_RESOURCES = ("resourceSpans", "batches")
_WRAPPERS = ("result", "trace")
_SCOPES = ("scopeSpans", "instrumentationLibrarySpans")


def is_otlp(document: Json) -> bool:
    """Return whether a JSON object is an export request, or an answer that holds one."""
    return _request(document) is not None


def json_spans(document: Json) -> Iterator[ReadSpan]:
    """Yield, for each span of a request in JSON, what reads it."""
    request = _request(document) or {}
    for name in _RESOURCES:
        for resource_spans in members(request, name):
            resource = _json_attributes(_object(resource_spans, "resource"))
            for scope_name in _SCOPES:
                for scope in members(resource_spans, scope_name):
                    for span in members(scope, "spans"):
                        yield partial(_from_json, span, resource)


def _request(document: Json) -> Json | None:
    """Return the request that a document is or wraps, its fields in camelCase."""
    for each in (document, *(_object(document, name) for name in _WRAPPERS)):
        if "resource_spans" in each:
            return {_camel(name): _camelled(value) for name, value in each.items()}
        if any(name in each for name in _RESOURCES):
            return each
    return None


def _camelled(value: object) -> object:
    # Names of attributes are values here, so every key is the name of a field.
    if isinstance(value, list):
        return [_camelled(each) for each in value]
    if isinstance(value, dict):
        return {_camel(name): _camelled(each) for name, each in value.items()}
    return value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def protobuf_spans(body: bytes) -> Iterator[ReadSpan]:
    """Yield the same for a request in Protobuf.

    Raises:
        DecodeError: the bytes are none.
    """
    try:
        request = ExportTraceServiceRequest.FromString(body)
    except message.DecodeError as error:
        raise DecodeError(f"not OTLP traces in Protobuf ({error})") from error
    for resource_spans in request.resource_spans:
        yield from _resource_spans(resource_spans)


def _resource_spans(resource_spans: ResourceSpans) -> Iterator[ReadSpan]:
    resource = _attributes(resource_spans.resource.attributes)
    for scope in resource_spans.scope_spans:
        for span in scope.spans:
            yield partial(_from_message, span, resource)


def _from_message(span: Span, resource: dict[str, str]) -> FileSpan:
    return checked(
        FileSpan(
            trace_id=span.trace_id.hex(),
            span_id=span.span_id.hex(),
            parent_id=as_parent(span.parent_span_id.hex()),
            name=span.name,
            kind=kind_of(KINDS[span.kind] if 0 <= span.kind < len(KINDS) else ""),
            service=resource.get("service.name", ""),
            host=host_of(resource),
            clock_error_ns=clock_error_of(resource),
            start_ns=span.start_time_unix_nano,
            end_ns=span.end_time_unix_nano,
            attributes=_attributes(span.attributes),
            status=str(span.status.code),
            links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        )
    )


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, str]:
    return {pair.key: value_text(pair.value) for pair in pairs}


def _from_json(span: Json, resource: dict[str, str]) -> FileSpan:
    status = span.get("status")
    return checked(
        FileSpan(
            trace_id=_id(span.get("traceId")),
            span_id=_id(span.get("spanId")),
            parent_id=as_parent(_id(span.get("parentSpanId"))),
            name=as_text(span.get("name")),
            kind=_kind(span.get("kind")),
            service=resource.get("service.name", ""),
            host=host_of(resource),
            clock_error_ns=clock_error_of(resource),
            start_ns=_time(span, "startTimeUnixNano"),
            end_ns=_time(span, "endTimeUnixNano"),
            attributes=_json_attributes(span),
            status=as_text(status.get("code")) if isinstance(status, dict) else "",
            links=tuple(
                (_id(link.get("traceId")), _id(link.get("spanId")))
                for link in members(span, "links")
            ),
        )
    )


def _time(span: Json, name: str) -> int:
    # Protobuf leaves out what is zero, and its JSON may.
    value = span.get(name)
    return 0 if value is None else as_ns(value, 1, name)


def _id(value: object) -> str:
    """Return an id; hex in lower case, as its case says nothing, and any other text as it is."""
    text = as_text(value)
    return text.lower() if _HEX.issuperset(text) else text


def _kind(value: object) -> str:
    text = as_text(value).removeprefix("SPAN_KIND_")
    number = int(text) if text in {str(each) for each in range(len(KINDS))} else 0
    return kind_of(KINDS[number] if number else text)


def _object(node: Json, name: str) -> Json:
    found = node.get(name)
    return found if isinstance(found, dict) else {}


def _json_attributes(node: Json) -> dict[str, str]:
    return {
        as_text(pair.get("key")): _json_value(_object(pair, "value"))
        for pair in members(node, "attributes")
    }


def _json_value(value: Json) -> str:
    if "doubleValue" in value:
        try:
            return double_text(float(as_text(value["doubleValue"])))
        except (ValueError, OverflowError) as error:
            raise DecodeError(f"doubleValue {value['doubleValue']!r} is none") from error
    for name in ("stringValue", "intValue", "boolValue", "bytesValue"):
        if name in value:
            return as_text(value[name])
    return as_text(json.dumps(value, default=str, sort_keys=True)) if value else ""
