"""Pure: OTLP/JSON to the bytes that OTLP/Protobuf has for it.

Differences from Protobuf's own JSON: ids are hex, not base64. Fields that are not known are
ignored, 64-bit integers are text or numbers, and enumerations are numbers (names are taken too).

Source: opentelemetry-proto docs/specification.md, "JSON Protobuf Encoding".
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator

from google.protobuf import json_format

from collector.core.errors import DecodeError
from collector.otlp.check import Signal

_METRIC_KINDS = ("gauge", "sum", "histogram", "exponentialHistogram")  # those with exemplars
_IDS = ("traceId", "spanId", "parentSpanId")
# What the parser's time grows with: 150,000 of these a second, whatever they are between. 512 spans
# of an SDK have 35,000.
MARKS_MAX = 1_000_000
_MARKS = (b"{", b"[", b",")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def count_marks(body: bytes) -> int:
    """Return the braces, brackets and commas of a body, by which its cost is known."""
    return sum(map(body.count, _MARKS))


def decode_json(signal: Signal, body: bytes) -> bytes:
    """Return an OTLP/JSON request as the bytes of the same request in Protobuf.

    Raises:
        DecodeError: the body is not JSON, or not a request of this signal.
    """
    try:
        document = json.loads(body.decode())  # of bytes it would take broken UTF-8
        if not isinstance(document, dict):
            # The parser takes an empty list for an empty message.
            raise DecodeError(f"the body is a JSON {type(document).__name__}, not an object")
        if _SURROGATE.search(body):
            # Half of a pair is no text; as a name of a field it ends the parser in a SystemError.
            json.dumps(document, ensure_ascii=False).encode()
        for item in _items_with_ids(signal, document):
            _ids_to_base64(item)
        request = json_format.ParseDict(
            document, signal.request_class(), ignore_unknown_fields=True
        )
        return request.SerializeToString()
    except (
        json_format.ParseError, ValueError, TypeError, ArithmeticError, RecursionError,
    ) as error:  # fmt: skip
        raise DecodeError(
            f"the body is not an OTLP/JSON {signal} request: {str(error)[:300]}"
        ) from error


def _items_with_ids(signal: Signal, document: object) -> Iterator[dict[str, object]]:
    if signal is Signal.LOGS:
        yield from _reach(document, "resourceLogs", "scopeLogs", "logRecords")
        return
    if signal is Signal.METRICS:
        for metric in _reach(document, "resourceMetrics", "scopeMetrics", "metrics"):
            for kind in _METRIC_KINDS:
                yield from _reach(metric.get(kind), "dataPoints", "exemplars")
        return
    for span in _reach(document, "resourceSpans", "scopeSpans", "spans"):
        yield span
        yield from _reach(span, "links")


def _reach(node: object, *names: str) -> Iterator[dict[str, object]]:
    """Yield every object under a path of lists; what has another shape is left for the parser."""
    if not isinstance(node, dict):
        return
    if not names:
        yield node
        return
    children = node.get(names[0])
    if isinstance(children, list):
        for child in children:
            yield from _reach(child, *names[1:])


def _ids_to_base64(item: dict[str, object]) -> None:
    for name in _IDS:
        value = item.get(name)
        if isinstance(value, str):
            try:
                item[name] = base64.b64encode(bytes.fromhex(value)).decode()
            except ValueError as error:
                raise DecodeError(f"{name} {value[:64]!r} is not hex") from error
