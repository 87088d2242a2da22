from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from backports import zstd

from collector.core.errors import DecodeError
from tests.support.attribution.detect import SPANS, parse, read
from tests.support.attribution.trace_files import (
    TRACE,
    WRITERS,
    jaeger_json,
    otlp_json,
    otlp_protobuf,
    otlp_spans,
)


def test_requests_with_their_length_before_them() -> None:
    """The collector's file exporter writes Protobuf so."""
    parts = [otlp_protobuf([span]) for span in SPANS]
    body = b"".join(len(part).to_bytes(4, "big") + part for part in parts)

    assert read(body) == read(otlp_protobuf(SPANS))


@pytest.mark.parametrize("padding", [*range(60), 100, 20_000])
def test_requests_with_their_length_as_protobuf_writes_it(padding: int) -> None:
    """Each request was begun at its length: its first resource was refused, the rest imported."""
    spans = [replace(span, name=span.name + "x" * padding) for span in SPANS]
    # Of one resource first: its length may be that of a brace.
    parts = [otlp_protobuf([spans[0]]), b"", *(2 * otlp_protobuf([span]) for span in spans)]
    body = b"".join(varint(len(part)) + part for part in parts)

    assert parse("traces", body).spans == parse("traces", b"".join(parts)).spans
    assert parse("traces", body).refused == []


def varint(number: int) -> bytes:
    """Return a number as Protobuf writes it."""
    low, more = number & 127, number >> 7
    return bytes([low | 128]) + varint(more) if more else bytes([low])


def test_frames_that_the_exporter_compressed() -> None:
    """With compression on, the collector's file exporter frames JSON too, each frame in zstd."""
    parts = [zstd.compress(otlp_json([span])) for span in SPANS]
    body = b"".join(len(part).to_bytes(4, "big") + part for part in parts)

    assert read(body) == read(otlp_json(SPANS))


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("compress", [gzip.compress, zstd.compress], ids=["gzip", "zstd"])
def test_compressed_file_says_the_same(compress: Callable[[bytes], bytes], name: str) -> None:
    """Traces of an incident are sent compressed, and renamed on the way."""
    assert read(compress(WRITERS[name](SPANS))) == read(WRITERS[name](SPANS))


@pytest.mark.parametrize("filling", [1, 511, 300_000])
def test_gzip_that_is_filled_up_with_zeros_is_whole(filling: int) -> None:
    """Tapes and some stores of objects fill up a file, and gzip(1) says nothing of it."""
    parts = [gzip.compress(otlp_json([span])) for span in SPANS]
    found = parse("traces", b"".join(parts) + bytes(filling))
    assert (found.spans, found.refused) == (read(otlp_json(SPANS)).spans, [])


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("compress", [gzip.compress, zstd.compress], ids=["gzip", "zstd"])
def test_file_that_is_compressed_twice_is_named_so(
    compress: Callable[[bytes], bytes], name: str
) -> None:
    """It was "not OTLP traces in Protobuf at byte 0"."""
    with pytest.raises(DecodeError, match="traces: it is compressed twice; expand it once; give "):
        parse("traces", compress(gzip.compress(WRITERS[name](SPANS))))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", [name for name in WRITERS if "JSON" in name or "json" in name])
@pytest.mark.parametrize("before", ["", "\r\n "])
def test_text_in_utf_16_is_named_with_what_to_do(name: str, encoding: str, before: str) -> None:
    """A shell of Windows writes it where a file is redirected."""
    body = (before + WRITERS[name](SPANS).decode()).encode(encoding)
    for wrap in (bytes, gzip.compress):
        with pytest.raises(DecodeError, match="traces: it is text in UTF-16; save it as UTF-8; "):
            parse("traces", wrap(body))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda request: {"result": request},
        lambda request: {"trace": request},
        lambda request: {"batches": request["resourceSpans"]},
        lambda request: json.loads(re.sub(r"([a-z])([A-Z])(?=\w*\":)", snake, json.dumps(request))),
    ],
    ids=["Jaeger's third API", "Tempo's second", "Tempo's first", "snake_case"],
)
def test_request_as_other_programs_write_it(wrap: Callable[[Any], object]) -> None:
    """What Jaeger and Tempo answer is OTLP in a wrapper, and Protobuf's JSON has two spellings."""
    request = otlp_spans(SPANS)

    assert read(json.dumps(wrap(request)).encode()) == read(json.dumps(request).encode())


def snake(found: re.Match[str]) -> str:
    """Return the letters at a border of words with an underscore between."""
    return f"{found[1]}_{found[2].lower()}"


def test_trace_and_spans_of_jaeger_alone() -> None:
    """An answer for one trace, and the documents that Jaeger keeps in Elasticsearch."""
    [trace] = json.loads(jaeger_json(SPANS))["data"]
    processes = trace["processes"]
    lone = [
        {**span, "traceID": TRACE, "process": processes[span["processID"]]}
        for span in trace["spans"]
    ]
    wanted = read(jaeger_json(SPANS))

    assert read(json.dumps({"data": trace}).encode()) == wanted
    assert read(json.dumps(trace).encode()) == wanted
    assert read(json.dumps(lone).encode()) == wanted
    assert read("\n".join(json.dumps(each) for each in lone).encode()) == wanted
