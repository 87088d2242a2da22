"""Pure: a pcapng file's bytes -> frames, a group for each link type among its interfaces."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import numpy as np

from collector.clock import NS_PER_S
from collector.errors import DecodeError
from packet.columns import I64
from packet.frames import RECORD_BYTES_MAX, Frames

_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _PACKET = 0x0A0D0D0A, 1, 2, 3, 6
SECTION_MAGIC = b"\x0a\x0d\x0d\x0a"
_BYTE_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_BLOCK_BYTES_MIN = 12  # type, length, and the length again at the end
_END_OF_OPTIONS, _TIME_RESOLUTION, _TIME_OFFSET = 0, 9, 14
_MICROSECONDS = 6  # if_tsresol's default: the negative power of ten
_TS_NS_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True, eq=False)
class FrameGroup:
    """The frames of one link type, with their places in the file."""

    frames: Frames
    numbers: I64  # 1-based over all frames of the file, as Wireshark counts


@dataclass(frozen=True, slots=True)
class _Interface:
    link_type: int
    snap_bytes: int  # 0: no limit
    ticks_per_s: int
    offset_s: int


@dataclass(slots=True)
class _Section:
    order: str
    interfaces: list[_Interface] = field(default_factory=list)


# link type -> (number, start, captured, ts_ns, wire_bytes) of each frame
_Rows = dict[int, list[tuple[int, int, int, int, int]]]


def parse_pcapng(data: bytes) -> list[FrameGroup]:
    """Return the frames of a pcapng file, up to the first block that is cut off or lies.

    Each group's `unread_bytes` are the file's. A file without frames gives no group.

    Raises:
        DecodeError: `data` does not begin with a section header of either byte order.

    Source: draft-ietf-opsawg-pcapng.
    """
    if data[:4] != SECTION_MAGIC or data[8:12] not in _BYTE_ORDERS:
        raise DecodeError(
            f"pcapng: begins with {data[:12].hex() or 'nothing'}, expected a section header "
            "(0a0d0d0a) with a byte-order magic at offset 8"
        )
    rows: _Rows = {}
    section = _Section(_BYTE_ORDERS[data[8:12]])
    at, number = 0, 0
    while at + _BLOCK_BYTES_MIN <= len(data):
        if data[at : at + 4] == SECTION_MAGIC:
            if data[at + 8 : at + 12] not in _BYTE_ORDERS:
                break
            section = _Section(_BYTE_ORDERS[data[at + 8 : at + 12]])
        kind, length = struct.unpack_from(f"{section.order}II", data, at)
        if length < _BLOCK_BYTES_MIN or length % 4 or at + length > len(data):
            break
        start, end = at + 8, at + length - 4
        if kind == _INTERFACE:
            if end - start < 8:
                break
            section.interfaces.append(_interface(data, start, end, section.order))
        elif kind in (_PACKET, _OLD_PACKET, _SIMPLE_PACKET):
            row = _packet(data, kind, start, end, section)
            if row is None:
                break
            number += 1
            rows.setdefault(row[0], []).append((number, *row[1:]))
        at += length
    return [_group(data, kind, found, len(data) - at) for kind, found in rows.items()]


def _interface(data: bytes, start: int, end: int, order: str) -> _Interface:
    link_type, _, snap_bytes = struct.unpack_from(f"{order}HHI", data, start)
    ticks_per_s, offset_s = 10**_MICROSECONDS, 0
    at = start + 8
    while at + 4 <= end:
        code, length = struct.unpack_from(f"{order}HH", data, at)
        at += 4
        if code == _END_OF_OPTIONS or at + length > end:
            break
        if code == _TIME_RESOLUTION and length == 1:
            power = data[at] & 0x7F
            ticks_per_s = (2 if data[at] & 0x80 else 10) ** power
        elif code == _TIME_OFFSET and length == 8:
            (offset_s,) = struct.unpack_from(f"{order}q", data, at)
        at += (length + 3) // 4 * 4
    return _Interface(link_type, snap_bytes, ticks_per_s, offset_s)


def _packet(
    data: bytes, kind: int, start: int, end: int, section: _Section
) -> tuple[int, int, int, int, int] | None:
    """Return (link type, start, captured, ts_ns, wire_bytes), or None where a field lies."""
    head = 4 if kind == _SIMPLE_PACKET else 20
    if end - start < head:
        return None
    high = low = 0
    if kind == _SIMPLE_PACKET:
        (wire_bytes,) = struct.unpack_from(f"{section.order}I", data, start)
        index, captured = 0, min(wire_bytes, end - start - head)
    else:
        # The older block has 16 bits of interface and 16 of drops where the newer one has 32.
        form = "HHIIII" if kind == _OLD_PACKET else "IIIII"
        fields = struct.unpack_from(section.order + form, data, start)
        index, (high, low, captured, wire_bytes) = fields[0], fields[-4:]
    if index >= len(section.interfaces):
        return None
    interface = section.interfaces[index]
    if kind == _SIMPLE_PACKET and interface.snap_bytes:
        captured = min(captured, interface.snap_bytes)
    if captured > RECORD_BYTES_MAX or start + head + captured > end:
        return None
    ts_ns = (high << 32 | low) * NS_PER_S // interface.ticks_per_s + interface.offset_s * NS_PER_S
    if not 0 <= ts_ns <= _TS_NS_MAX:
        return None
    return interface.link_type, start + head, captured, ts_ns, wire_bytes


def _group(
    data: bytes, link_type: int, rows: list[tuple[int, int, int, int, int]], unread_bytes: int
) -> FrameGroup:
    table = np.array(rows, np.int64)
    frames = Frames(
        np.frombuffer(data, np.uint8),
        table[:, 1],
        table[:, 2],
        table[:, 3].astype(np.uint64),
        table[:, 4].astype(np.uint32),
        link_type,
        unread_bytes,
    )
    return FrameGroup(frames, table[:, 0])
