"""Pure: OTLP traces of a file in JSON -> spans.

The JSON is read as it is, not through Protobuf's parser, so that one span with a bad value costs
that span and not the file. Older and neighbouring spellings are taken:
`instrumentationLibrarySpans`, Tempo's `batches` and `trace`, the `result` of Jaeger's third API,
ids in base64, and fields in snake_case, which Protobuf's JSON may have as well.

Source: opentelemetry-proto docs/specification.md, "JSON Protobuf Encoding".
"""

from __future__ import annotations

import base64
import binascii
import re
import string

from attribution.files.span import (
    TIME_LIMIT_NS,
    FileSpan,
    Json,
    Origin,
    as_ns,
    as_text,
    as_word,
    check_times,
    kind_of,
    members,
    value_text,
)
from attribution.path.spans import KINDS
from collector.core.errors import DecodeError
from collector.core.times import NS_PER_S
from collector.otlp.go_json import double_text, quoted

RESOURCES = ("resourceSpans", "resource_spans", "batches")
WRAPPERS = ("result", "trace")
SCOPES = ("scopeSpans", "instrumentationLibrarySpans")
SCOPE = ("scope", "instrumentationLibrary")
TRACE_ID_BYTES, SPAN_ID_BYTES = 16, 8

_HEX = frozenset(string.hexdigits)
_IS_TRACE_ID = re.compile("[0-9a-f]{32}").fullmatch
_IS_SPAN_ID = re.compile("[0-9a-f]{16}").fullmatch
_ZEROS = "0" * 32
_SCALARS = ("stringValue", "intValue", "boolValue", "bytesValue")
_KINDS: dict[object, str] = {
    **dict(enumerate(KINDS)),
    **{str(at): kind for at, kind in enumerate(KINDS)},
    **{f"SPAN_KIND_{kind.upper()}": kind for kind in KINDS},
}
_ARE_TIMES = re.compile("[0-9]{19} [0-9]{19}").fullmatch  # in ns, from 2001 to 2286
# A clock that begins at 0 is somebody's example; a span of decades has lost its start.
_BEGINNING_NS = 86_400 * NS_PER_S
_made = tuple.__new__


def is_request(document: Json) -> bool:
    """Return whether a JSON object is an export request, or what an answer wraps it in."""
    return any(name in document for name in RESOURCES)


def camelled(value: object) -> object:
    """Return a document with the names of its fields in camelCase."""
    # Names of attributes are values here, so every key is the name of a field.
    if isinstance(value, list):
        return [camelled(each) for each in value]
    if isinstance(value, dict):
        return {_camel(name): camelled(each) for name, each in value.items()}
    return value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def state_resource(origin: Origin, resource: Json) -> None:
    """Take what a resource says.

    Raises:
        DecodeError: its attributes are not a list of attributes.
    """
    named = _attributes(resource)
    origin.state(named.get("service.name", ""), named)
    origin.raw = resource


def span_of(span: Json, origin: Origin, scope: object = None) -> FileSpan:
    """Read one span.

    Raises:
        DecodeError: a value is missing, impossible, or of another type.
    """
    get = span.get
    trace_id, span_id, parent = get("traceId"), get("spanId"), get("parentSpanId")
    if not (isinstance(trace_id, str) and _IS_TRACE_ID(trace_id) and trace_id != _ZEROS):
        trace_id = hex_id(trace_id, TRACE_ID_BYTES, "traceId")
    if not (isinstance(span_id, str) and _IS_SPAN_ID(span_id) and span_id != _ZEROS[:16]):
        span_id = hex_id(span_id, SPAN_ID_BYTES, "spanId")
    if not parent or parent == _ZEROS[:16]:
        parent = ""
    elif not (isinstance(parent, str) and _IS_SPAN_ID(parent)):
        parent = hex_id(parent, SPAN_ID_BYTES, "parentSpanId", may_be_none=True)
    name, kind, status, links = get("name"), get("kind"), get("status"), get("links")
    start_ns, end_ns = _times(get("startTimeUnixNano"), get("endTimeUnixNano"))
    # Made as a tuple: of a hundred thousand the names of the fields cost a twentieth.
    return _made(
        FileSpan,
        (
            trace_id,
            span_id,
            parent,
            name if name.__class__ is str else as_word(name, "name"),
            _kind(kind),
            origin,
            start_ns,
            end_ns,
            _attributes(span),
            _status(status) if status else "",
            _links(span) if links else (),
            False,
            span,
            scope,
        ),
    )


def _kind(kind: object) -> str:
    text = as_word(kind, "kind")
    return _KINDS.get(text) or kind_of(text)


def _status(status: object) -> str:
    if not isinstance(status, dict):
        raise DecodeError(f"status is {value_text(status)}, not an object")
    return as_text(status.get("code"))


def _times(start: object, end: object) -> tuple[int, int]:
    if start.__class__ is str and end.__class__ is str and _ARE_TIMES(f"{start} {end}"):
        start_ns, end_ns = int(start), int(end)
        if _BEGINNING_NS < start_ns <= end_ns < TIME_LIMIT_NS:
            return start_ns, end_ns
    if start is None and end is None:
        raise DecodeError("startTimeUnixNano and endTimeUnixNano are missing")
    # Protobuf leaves out what is zero, and its JSON may.
    start_ns = 0 if start is None else as_ns(start, 1, "startTimeUnixNano")
    end_ns = 0 if end is None else as_ns(end, 1, "endTimeUnixNano")
    check_otlp_times(start_ns, end_ns)
    return start_ns, end_ns


def check_otlp_times(start_ns: int, end_ns: int) -> None:
    """Refuse times that no span can have, and those of which one was not sent.

    Raises:
        DecodeError: names what is wrong.
    """
    if end_ns == 0 < start_ns:
        raise DecodeError("endTimeUnixNano is missing: the span had not ended")
    if start_ns == 0 and end_ns > _BEGINNING_NS:
        raise DecodeError(f"startTimeUnixNano is missing; it ends at {end_ns}")
    check_times(start_ns, end_ns)


def hex_id(value: object, length: int, what: str, *, may_be_none: bool = False) -> str:
    """Return an id in hex, as the specification has it; base64 as Tempo and Protobuf write it.

    Raises:
        DecodeError: it is neither, of another length, or all zeros.
    """
    text = as_word(value, what)
    if len(text) == 2 * length and _HEX.issuperset(text):
        digits = text.lower()
    else:
        digits = _from_base64(text, length)
    if not digits:
        why = "missing" if value is None or text == "" else f"{value_text(value)}"
        raise DecodeError(f"{what} is {why}, and not {2 * length} hex digits")
    if digits.strip("0"):
        return digits
    if may_be_none:
        return ""
    raise DecodeError(f"{what} is all zeros")


def _from_base64(text: str, length: int) -> str:
    if len(text) != -(-length // 3) * 4:
        return ""
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return ""
    return decoded.hex() if len(decoded) == length else ""


def _links(span: Json) -> tuple[tuple[str, str], ...]:
    return tuple(
        (_linked(each.get("traceId"), TRACE_ID_BYTES), _linked(each.get("spanId"), SPAN_ID_BYTES))
        for each in members(span, "links")
    )


def _linked(value: object, length: int) -> str:
    text = as_text(value)
    return _from_base64(text, length) or text.lower()


def _attributes(node: Json) -> dict[str, str]:
    pairs = node.get("attributes")
    if not pairs and pairs in (None, []):
        return {}
    if pairs.__class__ is list:
        try:
            attributes = {
                pair["key"]: text
                if (text := pair["value"].get("stringValue")).__class__ is str
                else _value(pair["key"], pair["value"])
                for pair in pairs
            }
            "".join(attributes)  # fails where a name is not a text
        except (AttributeError, KeyError, TypeError):
            pass
        else:
            return attributes
    named = ((pair.get("key"), pair.get("value")) for pair in members(node, "attributes"))
    return {as_word(key, "the name of an attribute"): _value(key, value) for key, value in named}


def _value(key: object, value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, dict):
        raise DecodeError(f"the value of {value_text(key)} is {value_text(value)}, not an object")
    for name in _SCALARS:
        if (content := value.get(name)) is not None:
            return as_text(content)
    if value.get("doubleValue") is not None:
        return _double(value["doubleValue"])
    return _json_text(value) if value else ""


def _double(value: object) -> str:
    try:
        return double_text(float(as_text(value)))
    except (ValueError, OverflowError) as error:
        raise DecodeError(f"doubleValue {value_text(value)} is not a number") from error


def _json_text(value: object) -> str:
    """Return a list or a list of pairs as JSON, as the store has it."""
    if not isinstance(value, dict):
        return "null"
    for name, bracket in (("arrayValue", "["), ("kvlistValue", "{")):
        inner = value.get(name)
        if isinstance(inner, dict):
            items = list(members(inner, "values"))
            if bracket == "[":
                return f"[{','.join(_json_text(each) for each in items)}]"
            pairs = {as_text(each.get("key")): each.get("value") for each in items}
            ordered = sorted(pairs.items(), key=lambda pair: pair[0].encode())
            return f"{{{','.join(f'{quoted(key)}:{_json_text(each)}' for key, each in ordered)}}}"
    if value.get("doubleValue") is not None:
        return _double(value["doubleValue"])
    for name in ("intValue", "boolValue"):
        if value.get(name) is not None:
            return as_text(value[name])
    for name in ("stringValue", "bytesValue"):
        if value.get(name) is not None:
            return quoted(as_text(value[name]))
    return "null"
