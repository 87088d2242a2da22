"""Pure: how a request lies in the log.

A segment is a plain length-delimited Protobuf file, so that the store reads it as it is: a frame is
a varint length, the request, and fields that Protobuf lets us put around it: before it 1004, the
digest that it is known by (`collector.wal.receipts`), which earlier releases did not write; after
it 1000 received_ns, 1002 the number of items, and last 1001, the CRC-32 of all that precedes it in
the frame. Where a sender has set one of the latter itself, ours comes later and counts.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

_RECEIVED_TAG = b"\xc1\x3e"  # field 1000, fixed64
_ITEMS_TAG = b"\xd5\x3e"  # field 1002, fixed32
_CRC_TAG = b"\xcd\x3e"  # field 1001, fixed32
TRAILER_BYTES = 22
DIGEST_BYTES = 16
# Of a request that is not known again.
NO_DIGEST = bytes(DIGEST_BYTES)
_DIGEST_TAG = b"\xe2\x3e\x10"  # field 1004, 16 bytes
_DIGEST_FIELD_BYTES = len(_DIGEST_TAG) + DIGEST_BYTES
HEAD_BYTES_MAX = 5 + _DIGEST_FIELD_BYTES  # of a frame, before its request
_CRC_BYTES = 6
_TRAILER = re.compile(
    re.escape(_RECEIVED_TAG)
    + b".{8}"
    + re.escape(_ITEMS_TAG)
    + b".{4}"
    + re.escape(_CRC_TAG)
    + b".{4}",
    re.DOTALL,
)
_CREATED = re.compile(r"-(\d{20})-")


@dataclass(frozen=True, slots=True)
class Frame:
    """Where one request lies in its segment."""

    start: int  # of the varint
    body: int  # of the request
    end: int  # after the CRC
    received_ns: int  # 0 where the frame is damaged
    items: int  # spans or records; 0 where the frame is damaged
    is_intact: bool  # the CRC matches
    digest: bytes = b""  # empty where the frame has none

    def moved(self, by: int) -> Frame:
        """Return where it lies when so many bytes are put before its segment."""
        return replace(self, start=self.start + by, body=self.body + by, end=self.end + by)

    def request(self, segment: bytes) -> bytes:
        """Return the request as it was appended; of a damaged frame, everything there is."""
        return segment[self.body : self.end - TRAILER_BYTES if self.is_intact else self.end]


@dataclass(frozen=True, slots=True)
class Scan:
    """What a segment holds."""

    frames: tuple[Frame, ...]
    end: int  # of the last frame; what follows is torn

    @property
    def items(self) -> int:
        """Return the spans or records in intact frames."""
        return sum(frame.items for frame in self.frames)


def segment_created_ns(path: Path) -> int:
    """Return when a segment was begun, which its name says; 0 for a name that is not ours."""
    match = _CREATED.search(path.name)
    return int(match[1]) if match else 0


def request_crc(request: bytes, digest: bytes = b"") -> int:
    """Return the CRC-32 of a frame up to the end of its request."""
    return zlib.crc32(request, zlib.crc32(_DIGEST_TAG + digest if digest else b""))


def frame_parts(
    request: bytes, received_ns: int, items: int, digest: bytes = b"", crc: int | None = None
) -> tuple[bytes, bytes, bytes]:
    """Return one frame in three parts, of which the second is the request itself, not copied.

    The log gives every frame a digest, if NO_DIGEST: or what a sender put there would be taken for
    one.

    Args:
        request: as it is stored.
        received_ns: when it came.
        items: spans, log records or points in it.
        digest: what a retry of it is known by.
        crc: what `request_crc` says of it, if the caller knows.
    """
    head = _DIGEST_TAG + digest if digest else b""
    tail = b"".join(
        (_RECEIVED_TAG, received_ns.to_bytes(8, "little"), _ITEMS_TAG, items.to_bytes(4, "little"))
    )
    crc = zlib.crc32(tail, request_crc(request, digest) if crc is None else crc)
    length = varint(len(head) + len(request) + len(tail) + _CRC_BYTES)
    return length + head, request, tail + _CRC_TAG + crc.to_bytes(4, "little")


def encode_frame(request: bytes, received_ns: int, items: int, digest: bytes = b"") -> bytes:
    """Return one frame. It is never empty, not even of an empty request."""
    return b"".join(frame_parts(request, received_ns, items, digest))


def scan(segment: bytes) -> Scan:
    """Find the frames of a segment, damaged ones included.

    A write that was cut off ends the segment: nothing after the last whole frame was acknowledged.
    Damage before that is another matter: what was acknowledged there goes on as a damaged frame,
    and reading resumes where the next one begins.
    """
    frames = []
    offset = 0
    while offset < len(segment):
        frame = _intact_frame(segment, offset)
        if frame is None:
            end = _end_of_damage(segment, offset)
            if end is None:
                break
            frame = Frame(offset, offset, end, 0, 0, is_intact=False)
        frames.append(frame)
        offset = frame.end
    return Scan(tuple(frames), offset)


def has_digest(segment: bytes) -> bool:
    """Return whether the first frame of a segment, or of its beginning, has a digest."""
    return segment.startswith(_DIGEST_TAG, _after_length(segment))


def first_end(segment: bytes) -> int:
    """Return where the first frame of a segment ends by its length, 0 where none can.

    The first HEAD_BYTES_MAX of the segment are enough.
    """
    bounds = _length(segment, 0)
    return bounds[1] if bounds is not None and bounds[1] - bounds[0] >= TRAILER_BYTES else 0


def received_of(trailer: bytes) -> int:
    """Return the received_ns in the last TRAILER_BYTES of a frame, 0 where they are none."""
    return _received_ns(trailer) if _TRAILER.fullmatch(trailer) else 0


def request_start(segment: bytes) -> int:
    """Return where the first request of a segment begins; its first HEAD_BYTES_MAX are enough."""
    return _after_length(segment) + (_DIGEST_FIELD_BYTES if has_digest(segment) else 0)


def _after_length(segment: bytes) -> int:
    offset = 0
    while offset < len(segment) and segment[offset] > 0x7F:
        offset += 1
    return offset + 1


def _bounds(segment: bytes, offset: int) -> tuple[int, int] | None:
    """Return where body and frame begin and end by the length there, None if that cannot be."""
    bounds = _length(segment, offset)
    if bounds is None or bounds[1] - bounds[0] < TRAILER_BYTES or bounds[1] > len(segment):
        return None
    return bounds


def _received_ns(trailer: bytes) -> int:
    return int.from_bytes(trailer[2:10], "little")


def _length(segment: bytes, offset: int) -> tuple[int, int] | None:
    """Return the same, wherever the segment ends; None where no length is there."""
    length = shift = 0
    body = offset
    while True:
        if body >= len(segment) or shift > 28:
            return None
        byte = segment[body]
        length |= (byte & 0x7F) << shift
        shift += 7
        body += 1
        if byte < 0x80:
            break
    return body, body + length


def _intact_frame(segment: bytes, offset: int) -> Frame | None:
    bounds = _bounds(segment, offset)
    if bounds is None:
        return None
    body, end = bounds
    trailer = segment[end - TRAILER_BYTES : end]
    crc = zlib.crc32(memoryview(segment)[body : end - _CRC_BYTES])
    if not _TRAILER.fullmatch(trailer) or int.from_bytes(trailer[18:], "little") != crc:
        return None
    has_field = segment.startswith(_DIGEST_TAG, body) and end - body >= (
        TRAILER_BYTES + _DIGEST_FIELD_BYTES
    )
    request = body + _DIGEST_FIELD_BYTES if has_field else body
    return Frame(
        start=offset,
        body=request,
        end=end,
        received_ns=_received_ns(trailer),
        items=int.from_bytes(trailer[12:16], "little"),
        is_intact=True,
        digest=segment[body + len(_DIGEST_TAG) : request],
    )


def _end_of_damage(segment: bytes, offset: int) -> int | None:
    """Return where a damaged frame ends, None where no frame ends after `offset`."""
    ends = []
    trailer = _TRAILER.search(segment, offset)
    if trailer is not None:
        ends.append(trailer.end())
    bounds = _bounds(segment, offset)
    # Its length is believed where another frame, or the end of the segment, follows.
    if bounds is not None:
        end = bounds[1]
        if end == len(segment) or _intact_frame(segment, end) is not None:
            ends.append(end)
    return min(ends, default=None)


def varint(value: int) -> bytes:
    """Return an unsigned integer as a varint, whatever its size."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
