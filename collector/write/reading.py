"""Pure: requests of the log in the forms that the store takes.

The log holds what was received. The compiled module makes blocks of spans; without it, and for
logs and metrics, the store's own reader parses the requests, which knows no value that nests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.message import DecodeError as ProtobufError

from collector.core.errors import DecodeError
from collector.otlp.check import Signal, normalise
from collector.otlp.native.spans import SpanBlocks, Wanted, make_blocks
from collector.otlp.values import has_deep_values
from collector.wal.frames import TRAILER_BYTES, Frame, encode_frame


@dataclass(frozen=True, slots=True)
class ReadSpans:
    """Spans as blocks, the frames that they are of, and those that nobody can read, with a reason.

    The same frames give the same.
    """

    blocks: SpanBlocks
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


def read_spans(content: bytes, frames: Sequence[Frame], wanted: Wanted) -> ReadSpans:
    """Return frames as blocks; a request that the module leaves to upb is made anew for it.

    Raises:
        OverflowError: the rows take more than a block may.
    """
    refused: list[tuple[Frame, str]] = []
    places = {frame: (frame.body, frame.end - TRAILER_BYTES, frame.received_ns) for frame in frames}
    anew = set[Frame]()
    while True:
        kept = list(places)
        made = make_blocks(content, places.values(), wanted)
        if isinstance(made, SpanBlocks):
            return ReadSpans(made, kept, refused)
        parts, end = [content], len(content)
        for frame in [kept[number] for number in made]:
            try:
                if frame in anew:
                    raise DecodeError("not even made anew can it be read")
                request = normalise(Signal.TRACES, frame.request(content))
            except DecodeError as error:
                refused.append((frame, str(error)))
                del places[frame]
                continue
            places[frame] = (end, end + len(request), frame.received_ns)
            anew.add(frame)
            parts.append(request)
            end += len(request)
        content = b"".join(parts)
