"""Pure: the bytes of a trace file -> spans. The content tells the format, never the name.

Formats: OTLP JSON and OTLP Protobuf, Jaeger's JSON, Zipkin JSON v2. A JSON file may hold one
document, a list of them, or one after the other, such as one a line. Any of them may be compressed,
or cut into frames with their length before each.

Source: for frames the collector's fileexporter: four bytes of length, big-endian, before each
request, which zstd may have compressed.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from attribution.files.jaeger import is_jaeger, jaeger_spans
from attribution.files.otlp import is_otlp, json_spans, protobuf_spans
from attribution.files.span import FileSpan, ReadSpan
from attribution.files.zipkin import is_zipkin, split_shared, zipkin_span
from collector.core.errors import DecodeError
from collector.core.http.compression import decompress

REMEDY = "give OTLP JSON or Protobuf, Jaeger JSON, or Zipkin JSON v2; gzip and zstd are expanded"

_PROTOBUF = "OTLP Protobuf"
_OTLP, _JAEGER, _ZIPKIN = "OTLP JSON", "Jaeger JSON", "Zipkin JSON v2"
_SPACE = " \t\r\n"
_LENGTH_BYTES = 4
_ENCODINGS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}  # by how each begins
# A file is held in memory whole: a few kilobytes that stand for more than this are not expanded.
_EXPANDED_MAX = 2**31
# Lists in lists: a Zipkin answer is a list of traces, and such lists may stand a line each.
_DEPTH_MAX = 3

_Read: TypeAlias = tuple[str, ReadSpan]  # the format that it is of
# Goes through spans to be read, and may show how far it is.
Track: TypeAlias = Callable[[Sequence[_Read]], Iterable[_Read]]


@dataclass(frozen=True, slots=True)
class TraceFile:
    """What a file holds, in its order: of two spans with one id the first counts."""

    format: str
    spans: list[FileSpan]
    refused: list[str]  # a line each: which span, why


def parse(name: str, body: bytes, track: Track = iter) -> TraceFile:
    """Read a trace file.

    Args:
        name: for messages only.
        body: all of it.
        track: goes through the spans as they are read, for a caller that shows progress.

    Raises:
        DecodeError: it is none of the formats; names the file, what is wrong and the remedy.
    """
    try:
        return _parse(body, track)
    except DecodeError as error:
        raise DecodeError(f"{name}: {error}; {REMEDY}") from error
    except RecursionError as error:
        raise DecodeError(f"{name}: nested too deeply; {REMEDY}") from error


def _parse(body: bytes, track: Track) -> TraceFile:
    reads: list[_Read] = []
    kind = _PROTOBUF
    for part in _frames(_expanded(body)):
        found, kind = _reads(_expanded(part).removeprefix(codecs.BOM_UTF8))
        reads += found
    return _read_all(reads, kind, track)


def _expanded(body: bytes) -> bytes:
    for begin, encoding in _ENCODINGS.items():
        if body.startswith(begin):
            return decompress(body, encoding, _EXPANDED_MAX)
    return body


def _frames(body: bytes) -> Iterator[bytes]:
    if body[:1] != b"\0":  # no request begins with the field number 0, and no text with a zero
        yield body
        return
    at = 0
    while at < len(body):
        length = int.from_bytes(body[at : at + _LENGTH_BYTES], "big")
        at += _LENGTH_BYTES
        if at + length > len(body):
            raise DecodeError(f"a request of {length} bytes at byte {at} is cut off")
        yield body[at : at + length]
        at += length


def _reads(body: bytes) -> tuple[list[_Read], str]:
    """Return what reads each span of one document or more, and what to call them if none is."""
    if not body.lstrip().startswith((b"{", b"[")):
        return _protobuf_reads(body), _PROTOBUF
    try:
        return list(_json_reads(body)), "JSON"
    except DecodeError:
        # The first field of a request is a line feed, and its length may be an opening brace.
        if not body.startswith(b"\n"):
            raise
        with suppress(DecodeError):
            if found := _protobuf_reads(body):
                return found, _PROTOBUF
        raise


def _read_all(reads: Sequence[_Read], otherwise: str, track: Track) -> TraceFile:
    spans: list[FileSpan] = []
    refused: list[str] = []
    formats: dict[str, None] = {}
    for at, (format_, read) in enumerate(track(reads), 1):
        formats[format_] = None
        try:
            spans.append(read())
        except DecodeError as error:
            refused.append(f"span {at}: {error}")
    if not spans and not refused and otherwise == _PROTOBUF:
        raise DecodeError("no spans in it")  # any few bytes are an empty request with unknown parts
    if _ZIPKIN in formats or _JAEGER in formats:
        spans = split_shared(spans)
    return TraceFile(" and ".join(formats) or otherwise, spans, refused)


def _protobuf_reads(body: bytes) -> list[_Read]:
    return [(_PROTOBUF, read) for read in protobuf_spans(body)]


def _json_reads(body: bytes) -> Iterator[_Read]:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DecodeError(f"not UTF-8 at byte {error.start}") from error
    # A float would lose nanoseconds, and microseconds may come with a fraction.
    decoder = json.JSONDecoder(parse_float=Decimal, parse_constant=str)
    at = 0
    while at < len(text):
        if text[at] in _SPACE:
            at += 1
            continue
        try:
            document, at = decoder.raw_decode(text, at)
        except (ValueError, ArithmeticError) as error:  # the latter: an exponent of many digits
            raise DecodeError(f"not JSON: {str(error)[:200]}") from error
        yield from _document(document, 0)


def _document(document: object, depth: int) -> Iterator[_Read]:
    if isinstance(document, list) and depth < _DEPTH_MAX:
        for each in document:
            yield from _document(each, depth + 1)
        return
    if isinstance(document, dict):
        for is_this, reads, format_ in _JSON_FORMATS:
            if is_this(document):
                yield from ((format_, read) for read in reads(document))
                return
    raise DecodeError("JSON, and none of the formats")


_JSON_FORMATS = (
    (is_otlp, json_spans, _OTLP),
    (is_zipkin, zipkin_span, _ZIPKIN),
    (is_jaeger, jaeger_spans, _JAEGER),
)
