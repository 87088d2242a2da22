"""Pure: where the records of a pcap file begin.

Each length leads to the next record, which makes a loop of 220 ns a record in Python, as much as
everything else that is done with a packet takes together. So the file is entered at many places at
once, wherever something looks like a record, and all of these are followed in step by NumPy. A
place was right exactly if what comes from the one before it arrives there: the guess is proven, or
the loop is run after all.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from mmap import mmap
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from packet.decode.columns import I64, U8

Searchable: TypeAlias = bytes | bytearray | mmap

RECORD_BYTES_MAX: Final = 256 * 1024  # libpcap's own MAXIMUM_SNAPLEN. A longer one is a lie
_LANES_MAX: Final = 512
_LANE_BYTES_MIN: Final = 64 * 1024  # below, a lane costs more than it saves
_LANES_MIN: Final = 8
_TRIES_MAX: Final = 64  # places that look like the upper half of a time and are none
_HOPS: Final = 3  # records that must follow each other for a place to look like one
_STEPS_UNCHECKED: Final = 16


@dataclass(frozen=True, slots=True)
class RecordForm:
    """How the head of a record is laid out."""

    order: str  # of bytes, as struct has it
    head_bytes: int
    fraction_max: int  # of the second part of the time: one second


def record_starts(data: Searchable, buffer: U8, offset: int, end: int, form: RecordForm) -> I64:
    """Return where the records from `offset` on begin, those whose head lies within `end`.

    The last one may reach beyond, or have a length that lies; any before it was followed.

    Args:
        data: the file.
        buffer: the same bytes.
        offset: where a record begins.
        end: look no further.
        form: of the file.
    """
    lanes = min((end - offset) // _LANE_BYTES_MIN, _LANES_MAX)
    if lanes >= _LANES_MIN:
        entries = _entries(data, offset, end, int(lanes), form)
        if len(entries) >= _LANES_MIN:
            starts = _in_step(buffer, np.array(entries, np.int64), end, form)
            if starts is not None:
                return starts
    return _one_by_one(data, offset, end, form)


def _one_by_one(data: Searchable, offset: int, end: int, form: RecordForm) -> I64:
    length_of = struct.Struct(f"{form.order}I").unpack_from
    head, last = form.head_bytes, end - form.head_bytes
    starts: list[int] = []
    while offset <= last:
        starts.append(offset)
        offset += head + length_of(data, offset + 8)[0]
    return np.array(starts, np.int64)


def _entries(data: Searchable, offset: int, end: int, lanes: int, form: RecordForm) -> list[int]:
    """Return places that look like records, the first of which is one."""
    # The upper half of the seconds is the same for eighteen hours.
    big = form.order == ">"
    half = bytes(data[offset : offset + 2] if big else data[offset + 2 : offset + 4])
    entries = [offset]
    for lane in range(1, lanes):
        near = offset + (end - offset) * lane // lanes
        for _ in range(_TRIES_MAX):
            position = data.find(half, near, end)
            if position < 0:
                break
            entry = position if big else position - 2
            if entry > entries[-1] and _looks_like_record(data, entry, end, form):
                entries.append(entry)
                break
            near = position + 1
    return entries


def _looks_like_record(data: Searchable, offset: int, end: int, form: RecordForm) -> bool:
    fields = struct.Struct(f"{form.order}IIII").unpack_from
    first_s = None
    for _ in range(_HOPS):
        if offset + form.head_bytes > end:
            return True
        seconds, fraction, captured, on_wire = fields(data, offset)
        if fraction >= form.fraction_max or captured > min(on_wire, RECORD_BYTES_MAX):
            return False
        if first_s is not None and seconds >> 16 != first_s >> 16:
            return False
        first_s = seconds
        offset += form.head_bytes + captured
    return True


def _in_step(buffer: U8, entries: I64, end: int, form: RecordForm) -> I64 | None:
    """Follow all entries at once; None where one is not reached from the one before."""
    # A view of the four bytes from each place on; NumPy reads them wherever they lie.
    words: NDArray[np.uint32] = np.ndarray(
        (buffer.size - 3,), np.dtype(f"{form.order}u4"), buffer.data, strides=(1,)
    )
    head, last = form.head_bytes, end - form.head_bytes
    until = np.append(entries[1:], last + 1)
    offsets = entries.copy()
    steps: list[I64] = []
    while (offsets < until).any():
        for _ in range(_STEPS_UNCHECKED):
            steps.append(offsets)
            # Behind the end every place is the same; it is not among the starts.
            inside = np.minimum(offsets, last)
            offsets = np.where(offsets > last, offsets, inside + head + words[inside + 8])
    walked = np.stack(steps, axis=1)
    is_mine = walked < until[:, None]
    # Where each lane first leaves its part must be where the next one begins.
    left = is_mine.sum(axis=1)
    beyond = np.where(left < walked.shape[1], _at(walked, left), offsets)
    if (beyond[:-1] != entries[1:]).any():
        return None
    starts: I64 = walked[is_mine]
    return starts


def _at(walked: I64, column: I64) -> I64:
    chosen: I64 = walked[np.arange(len(walked)), np.minimum(column, walked.shape[1] - 1)]
    return chosen
