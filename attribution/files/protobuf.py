"""Pure: OTLP traces of a file in Protobuf -> spans, one resource after the other.

Requests one after the other are one request in Protobuf, so a file is a run of fields; a field is
held whole, the file is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from google.protobuf import message
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span

from attribution.files.otlp import SPAN_ID_BYTES, TRACE_ID_BYTES, check_otlp_times, hex_id
from attribution.files.span import FileSpan, Origin
from attribution.path.spans import KINDS, UNSPECIFIED
from collector.core.errors import DecodeError
from collector.otlp.values import value_text

# One resource with its spans; more than any exporter sends at once.
_FIELD_MAX = 2**28
RESOURCE_SPANS = 0x0A  # field 1, length-delimited
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_VARINT_MAX = 10
_SKIP = 2**16


class Bytes:
    """The bytes of a file, from where it was read to as far as it is held."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        """Begin at the first byte."""
        self._chunks = chunks
        self._buffer = b""
        self._position = 0
        self._passed = 0

    @property
    def position(self) -> int:
        """Return how many bytes are read."""
        return self._passed + self._position

    def peek(self, count: int) -> bytes:
        """Return the next bytes, fewer at the end."""
        if len(self._buffer) - self._position < count:
            self._passed += self._position
            parts = [self._buffer[self._position :]]
            length = len(parts[0])
            while length < count and (chunk := next(self._chunks, None)) is not None:
                parts.append(chunk)
                length += len(chunk)
            self._buffer, self._position = b"".join(parts), 0
        return self._buffer[self._position : self._position + count]

    def take(self, count: int) -> bytes:
        """Go past the next bytes and return them.

        Raises:
            DecodeError: there are fewer.
        """
        taken = self.peek(count)
        if len(taken) < count:
            raise DecodeError(f"a part of {count} bytes at byte {self.position} is cut off")
        self._position += count
        return taken

    def skip(self, count: int) -> None:
        """Go past bytes that are not looked at.

        Raises:
            DecodeError: there are fewer.
        """
        while count > 0:
            count -= len(self.take(min(count, _SKIP)))

    def varint(self) -> int:
        """Read a number as Protobuf writes it.

        Raises:
            DecodeError: it is cut off or too long.
        """
        number = 0
        for place in range(_VARINT_MAX):
            byte = self.take(1)[0]
            number |= (byte & 127) << 7 * place
            if byte < 128:
                return number
        raise DecodeError(f"a number at byte {self.position} is too long")


def resources(source: Bytes) -> Iterator[ResourceSpans | DecodeError]:
    """Yield the resources of a file with their spans, or why one is none.

    Raises:
        DecodeError: the bytes are not a request, from where it says on.
    """
    while source.peek(1):
        position = source.position
        tag = source.varint()
        wire = tag & 7
        if tag == RESOURCE_SPANS:
            length = source.varint()
            if length > _FIELD_MAX:
                raise DecodeError(f"a resource of {length} bytes at byte {position} is too long")
            body = source.take(length)
            try:
                resource: ResourceSpans | DecodeError = ResourceSpans.FromString(body)
            except message.DecodeError as error:
                resource = DecodeError(f"not OTLP traces in Protobuf at byte {position} ({error})")
            yield resource
        elif wire == _VARINT and tag >> 3:
            source.varint()
        elif wire in (_FIXED32, _FIXED64) and tag >> 3:
            source.take(4 if wire == _FIXED32 else 8)
        elif wire == _BYTES and tag >> 3:
            source.skip(source.varint())
        else:
            raise DecodeError(f"not OTLP traces in Protobuf at byte {position}")


def state_resource(origin: Origin, resource_spans: ResourceSpans) -> None:
    """Take what a resource says."""
    named = _attributes(resource_spans.resource.attributes)
    origin.state(named.get("service.name", ""), named)
    # A part of a message keeps the whole of it, spans too, for as long as it is kept.
    origin.raw = Resource.FromString(resource_spans.resource.SerializeToString())


def span_of(span: Span, origin: Origin, scope: object = None) -> FileSpan:
    """Read one span.

    Raises:
        DecodeError: an id or a time is missing or impossible.
    """
    start_ns, end_ns = span.start_time_unix_nano, span.end_time_unix_nano
    trace_id = hex_id(span.trace_id.hex(), TRACE_ID_BYTES, "trace_id")
    span_id = hex_id(span.span_id.hex(), SPAN_ID_BYTES, "span_id")
    parent = span.parent_span_id.hex()
    if not (start_ns or end_ns):
        raise DecodeError("start_time_unix_nano and end_time_unix_nano are missing")
    check_otlp_times(start_ns, end_ns)
    return FileSpan(
        trace_id,
        span_id,
        hex_id(parent, SPAN_ID_BYTES, "parent_span_id", may_be_none=True) if parent else "",
        span.name,
        KINDS[span.kind] if 0 <= span.kind < len(KINDS) else KINDS[UNSPECIFIED],
        origin,
        start_ns,
        end_ns,
        _attributes(span.attributes),
        str(span.status.code),
        tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        raw=span,
        scope=scope,
    )


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, str]:
    return {pair.key: value_text(pair.value) for pair in pairs}
