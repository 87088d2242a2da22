"""Pure: requests of the log in the forms that the store takes.

The log holds what was received. The compiled module makes blocks of spans and log records; without
it, and for metrics, the store's own reader parses the requests, which knows no value that nests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from google.protobuf.message import DecodeError as ProtobufError

from collector.core.errors import DecodeError
from collector.otlp.check import Signal, normalise
from collector.otlp.native.logs import LogBlock, make_log_block
from collector.otlp.native.spans import SpanBlocks, SpanSelection, make_blocks
from collector.otlp.values import has_deep_values
from collector.wal.frames import TRAILER_BYTES, Frame, encode_frame

Place: TypeAlias = tuple[int, int, int]  # begin and end of a request, and when it came


@dataclass(frozen=True, slots=True)
class Insert:
    """Rows of one table in ClickHouse's format Native."""

    table: str
    block: bytes
    rows: int


# The inserts, or the numbers of the requests that the module leaves to upb.
BlockInserts: TypeAlias = tuple[Sequence[Insert], Sequence[int]]


@dataclass(frozen=True, slots=True)
class ReadBlocks:
    """Requests as blocks, the frames that they are of, and those that nobody can read.

    The same frames give the same.

    Attributes:
        inserts: in their order: where the last one is in, all of them are.
        frames: whose rows these are.
        refused: the others, each with a reason.
    """

    inserts: Sequence[Insert]
    frames: Sequence[Frame]
    refused: Sequence[tuple[Frame, str]]


def readable(signal: Signal, request: bytes) -> bytes:
    """Return a request that the store's reader gives the values of: text for each that nests."""
    try:
        return normalise(signal, request) if has_deep_values(signal, request) else request
    except (ProtobufError, DecodeError):
        return request  # the store says of it what it says


def as_protobuf(signal: Signal, content: bytes, frames: Sequence[Frame]) -> bytes:
    """Return frames as the store's reader takes them."""
    parts = []
    for frame in frames:
        request = frame.request(content)
        read = readable(signal, request)
        parts.append(
            content[frame.start : frame.end]
            if read is request
            else encode_frame(read, frame.received_ns, frame.items)
        )
    return b"".join(parts)


def read_spans(content: bytes, frames: Sequence[Frame], selection: SpanSelection) -> ReadBlocks:
    """Return frames of spans as blocks.

    Raises:
        OverflowError: the rows take more than a block may.
    """

    def make(content: bytes, places: Iterable[Place]) -> BlockInserts:
        blocks = make_blocks(content, places, selection)
        if not isinstance(blocks, SpanBlocks):
            return (), blocks
        inserts = (
            Insert("otel_traces_trace_id_ts", blocks.traces, blocks.span_rows),
            Insert("otel_decision_spans", blocks.decisions, blocks.decision_rows),
            Insert("otel_span_skeletons", blocks.skeletons, blocks.span_rows),
            Insert("otel_traces", blocks.spans, blocks.span_rows),
        )
        return inserts, ()

    return _read(Signal.TRACES, content, frames, make)


def read_logs(content: bytes, frames: Sequence[Frame]) -> ReadBlocks:
    """Return frames of log records as a block.

    Raises:
        OverflowError: the rows take more than a block may.
    """

    def make(content: bytes, places: Iterable[Place]) -> BlockInserts:
        block = make_log_block(content, places)
        if not isinstance(block, LogBlock):
            return (), block
        return (Insert("otel_logs", block.rows, block.count),), ()

    return _read(Signal.LOGS, content, frames, make)


def _read(
    signal: Signal,
    content: bytes,
    frames: Sequence[Frame],
    make: Callable[[bytes, Iterable[Place]], BlockInserts],
) -> ReadBlocks:
    """Return frames as blocks; a request that the module leaves to upb is made anew for it."""
    refused: list[tuple[Frame, str]] = []
    places = {frame: (frame.body, frame.end - TRAILER_BYTES, frame.received_ns) for frame in frames}
    anew = set[Frame]()
    while True:
        kept = list(places)
        inserts, unreadable = make(content, places.values())
        if not unreadable:
            return ReadBlocks(inserts, kept, refused)
        parts, end = [content], len(content)
        for frame in [kept[number] for number in unreadable]:
            try:
                if frame in anew:
                    raise DecodeError("not even made anew can it be read")
                request = normalise(signal, frame.request(content))
            except DecodeError as error:
                refused.append((frame, str(error)))
                del places[frame]
                continue
            places[frame] = (end, end + len(request), frame.received_ns)
            anew.add(frame)
            parts.append(request)
            end += len(request)
        content = b"".join(parts)
