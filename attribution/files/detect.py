"""Pure: the bytes of a trace file -> spans. The content tells the format, never the name.

Formats: OTLP JSON and OTLP Protobuf, Jaeger's JSON, Zipkin JSON v2. A JSON file may hold one
document, a list of them, or one after the other, such as one a line. Any of them may be compressed,
or cut into frames with their length before each.

Source: for frames the collector's fileexporter: four bytes of length, big-endian, before each
request, which zstd may have compressed; and what Protobuf's libraries write to a stream, with the
length as a varint.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from attribution.files.documents import Documents
from attribution.files.expand import Source, expanded, is_compressed
from attribution.files.refused import Refused
from attribution.files.span import FileSpan
from attribution.files.text import Text
from collector.core.errors import DecodeError

if TYPE_CHECKING:
    from attribution.files.protobuf import Bytes

REMEDY = "give OTLP JSON or Protobuf, Jaeger JSON, or Zipkin JSON v2; gzip and zstd are expanded"

_PROTOBUF, _JSON = "OTLP Protobuf", "JSON"
_SPACES = b" \t\r\n"
_HEAD_BYTES = 4_096
_ASCII_BYTES = 16  # so far a name of a field reaches
_LENGTH_BYTES = 4
_JUNK_MAX = 10_000  # a file of which so much and nothing else was refused is no trace file
_FRAME_MAX = 2**28  # one request; an exporter's are of megabytes


@dataclass(frozen=True, slots=True)
class TraceFile:
    """What a file held beside its spans."""

    format: str
    spans: int
    refused: Refused


def read_traces(name: str, chunks: Iterable[bytes], takes: SpanSink) -> TraceFile:
    """Read a trace file.

    Args:
        name: for messages only.
        chunks: its bytes, in pieces of any size; one after the other is held.
        takes: takes each span that can be used.

    Raises:
        DecodeError: nothing of it can be used; names the file, what is wrong and the remedy.
    """
    reading = _Reading(takes)
    try:
        reading.read(Source(chunks))
    except DecodeError as error:
        raise DecodeError(f"{name}: {error}; {REMEDY}") from error
    return TraceFile(" and ".join(reading.formats), reading.spans, reading.refused)


class SpanSink(Protocol):
    """Takes spans, and knows how many it took."""

    def add(self, span: FileSpan) -> None:
        """Take one span; one that it has no use for is refused with DecodeError."""

    def __len__(self) -> int: ...


class _Reading:
    """Reads one file; what it cannot use it counts and names."""

    def __init__(self, takes: SpanSink) -> None:
        self.formats: dict[str, None] = {}
        self.refused = Refused()
        self.add = takes.add
        self._takes = takes
        self._text: Text | None = None
        self._request = ""  # of frames: which one is read
        self._ended: DecodeError | None = None  # what ended the bytes before their end

    @property
    def spans(self) -> int:
        """Return how many spans were taken."""
        return len(self._takes)

    def note_format(self, format_: str) -> None:
        """Take the format of a document."""
        self.formats[format_] = None

    def refuse(
        self, why: str, traces: Iterable[str] = (), *, is_span: bool = True, line: int = 0
    ) -> None:
        """Count and name what cannot be used."""
        where = f"{self._request}line {line or self._text.line}" if self._text else self._request
        if is_span:
            number = f"span {self.spans + self.refused.spans + 1}"
            where = f"{where}, {number}" if self._text else f"{where}{number}"
        if not (is_span or self.spans or self.refused.spans) and self.refused.count > _JUNK_MAX:
            raise DecodeError(f"nothing of its first {_JUNK_MAX} parts is of any of the formats")
        self.refused.add(where.removesuffix(", ") or "the file", why, traces, is_span=is_span)

    def read(self, source: Source) -> None:
        """Read all of it.

        Raises:
            DecodeError: nothing of it can be used.
        """
        plain = expanded(source)
        try:
            if plain is not source and is_compressed(plain):
                raise DecodeError("it is compressed twice; expand it once")
            if _is_utf16(plain.head(_HEAD_BYTES)):
                raise DecodeError("it is text in UTF-16; save it as UTF-8")
            head = plain.head(_HEAD_BYTES)
            if head[:1] == b"\0":  # no request begins with field 0, and no text with a zero
                self._frames(
                    plain, lambda frames: int.from_bytes(frames.take(_LENGTH_BYTES), "big")
                )
            elif _is_delimited(head) and (not _is_json(head) or _is_short_request(head[1:])):
                self._frames(plain, lambda it: it.varint(), least=0)
            else:
                self._body(plain)
        except DecodeError as error:
            self._end(error)
        if self._ended is not None:
            self._text = None
            if not (self.spans or self.refused.spans):
                raise self._ended
            self.refuse(str(self._ended), is_span=False)
        if not self.spans and self.refused.count and not self.refused.spans:
            raise DecodeError(self.refused.lines[0])
        if not self.formats:
            self.note_format(_JSON)

    def _end(self, error: DecodeError) -> None:
        self._ended = self._ended or error

    def _frames(self, source: Source, length_of: Callable[[Bytes], int], *, least: int = 1) -> None:
        from attribution.files.protobuf import Bytes

        frames = Bytes(iter(source))
        number = 0
        while frames.peek(1):
            number += 1
            position = frames.position
            length = length_of(frames)
            if not least <= length <= _FRAME_MAX:
                raise DecodeError(f"a request of {length} bytes at byte {position} cannot be one")
            if not length:
                continue
            self._request = f"request {number}, "
            self._body(expanded(Source([frames.take(length)])))
        self._request = ""

    def _body(self, source: Source) -> None:
        head = source.head(_HEAD_BYTES)
        if _is_json(head) and not _is_short_request(head):
            self._text = Text(self._decoded(source))
            if not Documents(self._text, self).read() and not self._request and not self._ended:
                raise DecodeError("no spans in it")
            self._text = None
        else:
            self._protobuf(source)

    def _decoded(self, source: Source) -> Iterator[str]:
        """Yield the text of a source, up to where its bytes end or cannot be expanded."""
        # What is not UTF-8 costs the value that it is in: it is no text, and no JSON elsewhere.
        decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        is_first = True
        try:
            for chunk in source:
                text = decoder.decode(chunk)
                yield text.removeprefix("\ufeff") if is_first else text
                is_first = is_first and not text
        except DecodeError as error:
            self._end(error)
        yield decoder.decode(b"", final=True)

    def _protobuf(self, source: Source) -> None:
        # Loaded where it is needed: the messages take as long to import as a small file to read.
        from attribution.files import protobuf
        from attribution.files.span import Origin

        before = self.spans + self.refused.count
        self.note_format(_PROTOBUF)
        for resource_spans in protobuf.resources(protobuf.Bytes(iter(source))):
            if isinstance(resource_spans, DecodeError):
                self.refuse(str(resource_spans), is_span=False)
                continue
            origin = Origin()
            protobuf.state_resource(origin, resource_spans)
            for scope in resource_spans.scope_spans:
                for each in scope.spans:
                    try:
                        self.add(protobuf.span_of(each, origin, scope.scope))
                    except DecodeError as error:
                        self.refuse(str(error), (each.trace_id.hex(),))
        if before == self.spans + self.refused.count and not self._request:
            # Any few bytes are an empty request with parts that are not known.
            raise DecodeError("no spans in it")


def _is_utf16(head: bytes) -> bool:
    """Return whether bytes are JSON as some shells of Windows write it, with a mark or without."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return True
    for zeros, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(head) > 3 and not any(head[zeros:_ASCII_BYTES:2]):
            text = head.decode(encoding, "replace").lstrip()
            return text[:1] in ("{", "[")
    return False


def _is_delimited(head: bytes) -> bool:
    """Return whether bytes begin with the length of a request, as Protobuf writes a number."""
    from attribution.files.protobuf import RESOURCE_SPANS, Bytes

    begin = Bytes(iter([head]))
    try:
        length = begin.varint()
        position = begin.position
        # Without it a request begins with its first resource, and with it so does what it is of.
        is_request = head[0] != head[position] == RESOURCE_SPANS
        begin.take(1)
        return is_request and begin.varint() + begin.position - position <= length
    except (DecodeError, IndexError):
        return False


def _is_json(head: bytes) -> bool:
    text = head.removeprefix(codecs.BOM_UTF8).lstrip(_SPACES)
    return text[:1] in (b"{", b"[") or (bool(head) and not text)


def _is_short_request(head: bytes) -> bool:
    """Return whether bytes that look like JSON begin with a short field of Protobuf.

    The first byte of a request is a line feed, and the length behind it may be a brace.
    """
    if head[:1] != b"\n" or len(head) < 3 or len(head) < 2 + head[1]:
        return False
    from google.protobuf import message
    from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans

    try:
        resource = ResourceSpans.FromString(head[2 : 2 + head[1]])
    except message.DecodeError:
        return False
    return any(len(span.trace_id) for scope in resource.scope_spans for span in scope.spans)
