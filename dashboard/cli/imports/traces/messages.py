"""Pure: a span of a trace file -> the span, resource and scope that OTLP has for it.

What was OTLP stays as it was. Of Jaeger and Zipkin the words become OpenTelemetry's, as the
collector's receivers translate them; an id that is shorter is filled up with zeros.

Source: opentelemetry-collector-contrib, pkg/translator/jaeger and pkg/translator/zipkin.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import string
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from google.protobuf import json_format
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from attribution.files.jaeger import LEGACY_HOSTS
from attribution.files.otlp import SPAN_ID_BYTES, TRACE_ID_BYTES
from attribution.files.span import (
    NS_PER_US,
    FileSpan,
    Json,
    Origin,
    as_ns,
    as_text,
    members,
    value_text,
)
from attribution.path.spans import KINDS
from collector.core.errors import DecodeError

_HOST_NAMES: Final = ("host.id", "host.ip", "host.name", "service.instance.id")
_HEX: Final = frozenset(string.hexdigits)
_KINDS: Final = {name: Span.SpanKind.Value(f"SPAN_KIND_{name.upper()}") for name in KINDS}
_FROM_JSON: Final = (
    "traceState", "flags", "droppedAttributesCount", "events", "droppedEventsCount",
    "droppedLinksCount", "status",
)  # fmt: skip
_FAILURES: Final = (
    DecodeError, json_format.ParseError, ValueError, TypeError, ArithmeticError, RecursionError,
    SystemError,
)  # fmt: skip
_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1
# Tags of Jaeger that say what a field of OTLP says.
_SCOPE_NAMES: Final = ("otel.scope.name", "otel.library.name")
_SCOPE_VERSIONS: Final = ("otel.scope.version", "otel.library.version")
_FIELDS: Final = frozenset(
    {
        "span.kind", "w3c.tracestate", "otel.status_code", "otel.status_description",
        "internal.span.format", *_SCOPE_NAMES, *_SCOPE_VERSIONS,
    }
)  # fmt: skip
_CODES: Final = {"OK": Status.STATUS_CODE_OK, "ERROR": Status.STATUS_CODE_ERROR}
_SERVER_HALF: Final = b"server"


def trace_id_of(span: FileSpan) -> bytes:
    """Return the id of its trace.

    Raises:
        DecodeError: it is not hex, or longer than OTLP's.
    """
    return _id(span.trace_id, TRACE_ID_BYTES, "the trace id")


def span_id_of(text: str) -> bytes:
    """Return the id of a span, nothing for none.

    Raises:
        DecodeError: it is not hex, or longer than OTLP's.
    """
    return _id(text, SPAN_ID_BYTES, "the span id") if text else b""


def server_half(trace_id: bytes, span_id: bytes) -> bytes:
    """Return the id of the server's half of a call whose client has the same id.

    The same each time: what is imported again is known again.
    """
    half = hashlib.blake2b(_SERVER_HALF + trace_id + span_id, digest_size=SPAN_ID_BYTES).digest()
    return half if any(half) else _SERVER_HALF.rjust(SPAN_ID_BYTES, b"\0")


def message_of(span: FileSpan) -> Span:
    """Return a span as OTLP has it.

    Raises:
        DecodeError: an id is not of OTLP's length, or a value has no place in OTLP.
    """
    raw = span.raw
    try:
        if isinstance(raw, Span):
            message = Span()
            message.CopyFrom(raw)
        elif not isinstance(raw, dict):
            message = Span()
        elif "spanId" in raw:
            message = _of_otlp(raw)
        elif "id" in raw:
            message = _of_zipkin(span, raw)
        else:
            message = _of_jaeger(span, raw)
    except _FAILURES as error:
        raise DecodeError(f"not OTLP: {str(error)[:200]}") from error
    message.trace_id = trace_id_of(span)
    message.span_id = span_id_of(span.span_id)
    message.parent_span_id = span_id_of(span.parent_id)
    message.name = span.name
    message.kind = _KINDS[span.kind]
    message.start_time_unix_nano, message.end_time_unix_nano = span.start_ns, span.end_ns
    if not isinstance(raw, Span):
        for index, (trace, linked_span) in enumerate(span.links):
            link = message.links[index] if index < len(message.links) else message.links.add()
            link.trace_id = _id(trace, TRACE_ID_BYTES, "the trace id of a link")
            link.span_id = _id(linked_span, SPAN_ID_BYTES, "the span id of a link")
    return message


def resource_of(origin: Origin) -> Resource:
    """Return what sent a span.

    Raises:
        DecodeError: a value of it has no place in OTLP.
    """
    raw = origin.raw
    if isinstance(raw, Resource):
        return raw
    resource = Resource()
    if isinstance(raw, dict):
        try:
            resource.attributes.extend(_otlp_pairs(raw))
            _add(resource.attributes, _with_host(_jaeger_tags(raw)))
        except _FAILURES as error:
            raise DecodeError(f"not OTLP: {str(error)[:200]}") from error
    named = {pair.key for pair in resource.attributes}
    by_reader = {"service.name": origin.service, origin.host_attribute: origin.host}
    if not named.isdisjoint(_HOST_NAMES):
        del by_reader[origin.host_attribute]
    _add(resource.attributes, {k: v for k, v in by_reader.items() if v and k not in named})
    return resource


def named_resource(origin: Origin) -> Resource:
    """Return service and host alone of what sent a span."""
    return resource_of(Origin(origin.service, origin.host, origin.host_attribute))


def scope_of(span: FileSpan) -> InstrumentationScope:
    """Return what made a span; empty where the file does not say."""
    scope = span.scope
    if isinstance(scope, InstrumentationScope):
        return scope
    library = InstrumentationScope()
    if isinstance(scope, dict):
        try:
            json_format.ParseDict(scope, library, ignore_unknown_fields=True)
        except _FAILURES:  # no span is lost for the name of its library
            library = InstrumentationScope()
    elif isinstance(span.raw, dict) and "spanID" in span.raw:
        get = span.attributes.get
        library.name = next((value for name in _SCOPE_NAMES if (value := get(name))), "")
        library.version = next((value for name in _SCOPE_VERSIONS if (value := get(name))), "")
    return library


def is_shared(span: FileSpan) -> bool:
    """Return whether a span says itself that it is the server's half."""
    return isinstance(span.raw, dict) and span.raw.get("shared") is True


def _of_otlp(raw: Json) -> Span:
    body = {name: value for name in _FROM_JSON if (value := raw.get(name)) is not None}
    if raw.get("links"):
        # Their ids may be spelled in more ways than the parser takes.
        body["links"] = [
            {name: value for name, value in link.items() if name not in ("traceId", "spanId")}
            for link in members(raw, "links")
        ]
    message = Span()
    if body:
        json_format.ParseDict(body, message, ignore_unknown_fields=True)
    # The parser takes ten times as long for what nearly every attribute is.
    message.attributes.extend(_otlp_pairs(raw))
    return message


def _otlp_pairs(node: Json) -> Iterator[KeyValue]:
    for pair in members(node, "attributes"):
        yield KeyValue(key=as_text(pair.get("key")), value=_of_otlp_value(pair.get("value")))


def _of_otlp_value(value: object) -> AnyValue:
    if value is None:
        return AnyValue()
    if not isinstance(value, dict):
        raise ValueError(f"a value is {value_text(value)}, not an object")
    if len(value) == 1:
        [(name, inner)] = value.items()
        if name == "stringValue" and isinstance(inner, str):
            return AnyValue(string_value=inner)
        if name == "boolValue" and isinstance(inner, bool):
            return AnyValue(bool_value=inner)
        if name == "intValue" and inner.__class__ is int:
            return AnyValue(int_value=inner)
        if name == "doubleValue" and isinstance(inner, Decimal):
            return AnyValue(double_value=float(inner))
    return json_format.ParseDict(value, AnyValue(), ignore_unknown_fields=True)


def _of_jaeger(span: FileSpan, raw: Json) -> Span:
    message = Span()
    tags = _jaeger_tags(raw)
    state, code = tags.get("w3c.tracestate"), as_text(tags.get("otel.status_code"))
    if isinstance(state, str):
        message.trace_state = state
    if code in _CODES or _is_true(tags.get("error")):
        message.status.code = _CODES.get(code, Status.STATUS_CODE_ERROR)
        message.status.message = as_text(tags.get("otel.status_description"))
    _add(message.attributes, _with_missing(span, tags))
    for log in members(raw, "logs"):
        fields = _jaeger_pairs(log, "fields")
        event = message.events.add(
            time_unix_nano=as_ns(log.get("timestamp"), NS_PER_US, "timestamp")
        )
        event.name = as_text(fields.pop("event", ""))
        _add(event.attributes, fields)
    return message


def _of_zipkin(span: FileSpan, raw: Json) -> Span:
    message = Span()
    attributes: dict[str, object] = dict(span.attributes)
    ends = (("localEndpoint", "network.local"), ("remoteEndpoint", "network.peer"))
    for name, prefix in ends:
        end = raw.get(name)
        if isinstance(end, dict):
            _default(attributes, f"{prefix}.address", end.get("ipv4") or end.get("ipv6"))
            _default(attributes, f"{prefix}.port", end.get("port"))
    remote = raw.get("remoteEndpoint")
    if isinstance(remote, dict):
        _default(attributes, "peer.service", remote.get("serviceName"))
    if "error" in span.attributes:
        message.status.code = Status.STATUS_CODE_ERROR
        error = span.attributes["error"]
        message.status.message = "" if error == "true" else error
    _add(message.attributes, attributes)
    for annotation in members(raw, "annotations"):
        message.events.add(
            time_unix_nano=as_ns(annotation.get("timestamp"), NS_PER_US, "timestamp"),
            name=as_text(annotation.get("value")),
        )
    return message


def _default(attributes: dict[str, object], name: str, value: object) -> None:
    if value not in (None, "", 0):
        attributes.setdefault(name, value)


def _with_missing(span: FileSpan, tags: Mapping[str, object]) -> dict[str, object]:
    """Return tags as attributes, with what the reader named as OpenTelemetry does."""
    kept = {name: value for name, value in tags.items() if name not in _FIELDS}
    if _is_true(kept.get("error")):
        del kept["error"]
    return kept | {k: v for k, v in span.attributes.items() if k not in tags}


def _with_host(tags: Mapping[str, object]) -> dict[str, object]:
    """Return the tags of a process, with the machine named as OpenTelemetry does."""
    names = {old: new for new, old in LEGACY_HOSTS.items() if tags.get(old) and new not in tags}
    return {names.get(name, name): value for name, value in tags.items()}


def _is_true(value: object) -> bool:
    return value is True or value == "true"


def _jaeger_tags(node: Json) -> dict[str, object]:
    return _jaeger_pairs(node, "tags")


def _jaeger_pairs(node: Json, name: str) -> dict[str, object]:
    return {as_text(pair.get("key")): _jaeger_value(pair) for pair in members(node, name)}


def _jaeger_value(pair: Json) -> object:
    value, type_ = pair.get("value"), pair.get("type")
    if isinstance(value, str):
        if type_ == "binary":
            try:
                return base64.b64decode(value, validate=True)
            except binascii.Error:
                return value
        if type_ == "int64" and value.removeprefix("-").isdecimal() and len(value) < 20:
            return int(value)
        if type_ == "bool" and value in ("true", "false"):
            return value == "true"
    return float(value) if isinstance(value, Decimal) else value


def _add(pairs: Any, attributes: Mapping[str, object]) -> None:  # noqa: ANN401  a list of a message
    pairs.extend(KeyValue(key=name, value=_any(value)) for name, value in attributes.items())


def _any(value: object) -> AnyValue:
    if value is None:
        return AnyValue()
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int) and _INT_MIN <= value <= _INT_MAX:
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, bytes):
        return AnyValue(bytes_value=value)
    return AnyValue(string_value=as_text(value))


def _id(text: str, length: int, what: str) -> bytes:
    if len(text) > 2 * length or not _HEX.issuperset(text):
        raise DecodeError(f"{what} {value_text(text)} is not {2 * length} hex digits, or fewer")
    return bytes.fromhex(text.rjust(2 * length, "0"))
