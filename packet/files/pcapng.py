"""Pure: a pcapng file's bytes -> frames, a group for each link type among its interfaces."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from collector.core.errors import DecodeError
from collector.core.times import NS_PER_S
from packet.decode.columns import I64, U8, U64
from packet.decode.frames import Frames
from packet.decode.record_starts import RECORD_BYTES_MAX, Searchable

_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _PACKET = 0x0A0D0D0A, 1, 2, 3, 6
SECTION_MAGIC: Final = b"\x0a\x0d\x0d\x0a"
SECTION_HEAD_BYTES: Final = 16  # up to the version
_SECTION_BYTES_MIN: Final = 28
_VERSIONS: Final = ((1, 0), (1, 2))  # the second is what some wrote before there was a standard
_BYTE_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_BLOCK_BYTES_MIN = 12  # type, length, and the length again at the end
_HEAD_BYTES = 28  # of an enhanced packet block, up to its frame
_SIMPLE_HEAD_BYTES = 12
_END_OF_OPTIONS, _TIME_RESOLUTION, _TIME_OFFSET = 0, 9, 14
_MICROSECONDS = 6  # if_tsresol's default: the negative power of ten
_U64_MASK = 2**64 - 1


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


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """Packet blocks between two that describe interfaces."""

    starts: I64
    lengths: I64
    kinds: I64

    def where(self, chosen: I64) -> _Run:
        return _Run(self.starts[chosen], self.lengths[chosen], self.kinds[chosen])


@dataclass(frozen=True, slots=True, eq=False)
class _Packets:
    """Packets of one interface; each row's place in its run."""

    places: I64
    interface: _Interface
    at: I64
    captured: I64
    ts_ns: U64
    wire_bytes: I64


def parse_pcapng(data: bytes) -> list[FrameGroup]:
    """Return the frames of a pcapng file, up to the first block that is cut off or lies.

    Each group's `unread_bytes` are the file's. A file without frames gives no group.

    Raises:
        DecodeError: `data` does not begin with a section header of either byte order.
    """
    parser = PcapngParser(data[:SECTION_HEAD_BYTES])
    groups, offset = parser.parse(data, np.frombuffer(data, np.uint8), 0, len(data))
    unread = len(data) - offset
    return [FrameGroup(replace(each.frames, unread_bytes=unread), each.numbers) for each in groups]


class PcapngParser:
    """Reads blocks of a pcapng file, one part after the other. Source: draft-ietf-opsawg-pcapng."""

    def __init__(self, head: bytes) -> None:
        """Look at the first bytes of the file, which are read again by `parse`.

        Raises:
            DecodeError: they are no section header of either byte order, or one that lies.
        """
        if head[:4] != SECTION_MAGIC or head[8:12] not in _BYTE_ORDERS:
            raise DecodeError(
                f"pcapng: begins with {head[:12].hex() or 'nothing'}, expected a section header "
                "(0a0d0d0a) with a byte-order magic at offset 8"
            )
        self._order = _BYTE_ORDERS[head[8:12]]
        if len(head) < SECTION_HEAD_BYTES:
            raise DecodeError("pcapng: its section header is cut off")
        _, length, _, *version = struct.unpack_from(f"{self._order}IIIHH", head)
        if length < _SECTION_BYTES_MIN or length % 4 or tuple(version) not in _VERSIONS:
            raise DecodeError(
                f"pcapng: its section header says {length} bytes and version "
                f"{version[0]}.{version[1]}, expected 28 or more in steps of 4 and 1.0"
            )
        self._interfaces: list[_Interface] = []
        self._count = 0  # frames so far

    def parse(
        self, data: Searchable, buffer: U8, offset: int, blocks_max: int
    ) -> tuple[list[FrameGroup], int]:
        """Return the frames of the whole blocks from `offset` on, and where the next one begins.

        Args:
            data: the file, or a part of it.
            buffer: the same bytes.
            offset: where a block begins.
            blocks_max: read no more than so many.
        """
        packet_runs: list[tuple[_Packets, int]] = []
        stop = False
        while not stop and blocks_max > 0:
            run, end, stop = self._run(data, buffer.size, offset, blocks_max)
            packets, is_whole = self._packets(buffer, run)
            packet_runs += [(each, self._count) for each in packets]
            self._count += sum(len(each.places) for each in packets)
            if not is_whole:
                read = sum(len(each.places) for each in packets)
                return _groups(buffer, packet_runs), int(run.starts[read])
            blocks_max -= len(run.starts) + 1
            offset = end
            if not stop:
                offset, stop = self._describe(data, offset)
        return _groups(buffer, packet_runs), offset

    def _run(
        self, data: Searchable, size: int, offset: int, blocks_max: int
    ) -> tuple[_Run, int, bool]:
        """Return packet blocks up to one that is none, where that begins, and whether to stop."""
        head_of = struct.Struct(f"{self._order}II").unpack_from
        starts: list[int] = []
        lengths: list[int] = []
        kinds: list[int] = []
        stop = True
        for _ in range(blocks_max):
            if offset + _BLOCK_BYTES_MIN > size:
                break
            kind, length = head_of(data, offset)
            if kind in (_SECTION, _INTERFACE):
                stop = False
                break
            if length < _BLOCK_BYTES_MIN or length % 4 or offset + length > size:
                break
            if kind in (_PACKET, _OLD_PACKET, _SIMPLE_PACKET):
                starts.append(offset)
                lengths.append(length)
                kinds.append(kind)
            offset += length
        return _Run(*(np.array(each, np.int64) for each in (starts, lengths, kinds))), offset, stop

    def _describe(self, data: Searchable, offset: int) -> tuple[int, bool]:
        """Read a section or interface block; return where it ends, and whether it is cut off."""
        if bytes(data[offset : offset + 4]) == SECTION_MAGIC:
            magic = bytes(data[offset + 8 : offset + 12])
            if magic not in _BYTE_ORDERS:
                return offset, True
            order, interfaces = _BYTE_ORDERS[magic], list[_Interface]()
        else:
            order, interfaces = self._order, list(self._interfaces)
        kind, length = struct.unpack_from(f"{order}II", data, offset)
        head = _SECTION_BYTES_MIN - 4 if kind == _SECTION else _BLOCK_BYTES_MIN + 4
        if length < head + 4 or length % 4 or offset + length > len(data):
            return offset, True
        options = _options(data, offset + head, offset + length - 4, order)
        if options is None:
            return offset, True
        if kind == _INTERFACE:
            interfaces.append(_interface(data, offset + 8, options, order))
        self._order, self._interfaces = order, interfaces
        return offset + length, False

    def _packets(self, buffer: U8, run: _Run) -> tuple[list[_Packets], bool]:
        """Return the packets of a run by interface, up to the first block that lies."""
        if not len(run.starts):
            return [], True
        head = np.zeros((len(run.starts), _HEAD_BYTES), np.uint8)
        width = min(_HEAD_BYTES, buffer.size)
        near = np.minimum(run.starts, buffer.size - width)
        head[:, :width] = sliding_window_view(buffer, width)[near]
        late = run.starts > near
        for row in np.flatnonzero(late).tolist():
            tail = buffer[run.starts[row] :]
            head[row] = 0
            head[row, : tail.size] = tail
        words = head.view(f"{self._order}u4").astype(np.int64)
        is_simple = run.kinds == _SIMPLE_PACKET
        begin = np.where(is_simple, _SIMPLE_HEAD_BYTES, _HEAD_BYTES)
        room = run.lengths - 4 - begin
        index = np.where(is_simple, 0, words[:, 2])
        # The older block has 16 bits of interface and 16 of drops where the newer one has 32.
        is_old = run.kinds == _OLD_PACKET
        index[is_old] = head.view(f"{self._order}u2")[is_old, 4]
        wire = np.where(is_simple, words[:, 2], words[:, 6])
        captured = np.where(is_simple, np.minimum(wire, room), words[:, 5])
        is_known = (index < len(self._interfaces)) & (room >= 0)
        is_good = is_known & (captured <= np.minimum(room, RECORD_BYTES_MAX))
        count = len(is_good) if is_good.all() else int(np.argmin(is_good))
        ticks = words[:, 3].astype(np.uint64) << np.uint64(32) | words[:, 4].astype(np.uint64)
        ticks[is_simple] = 0
        packet_runs = []
        for number in np.unique(index[:count]).tolist():
            interface = self._interfaces[number]
            places = np.flatnonzero(index[:count] == number)
            snap = np.where(is_simple[places], interface.snap_bytes or RECORD_BYTES_MAX, 2**32)
            packet_runs.append(
                _Packets(
                    places,
                    interface,
                    run.starts[places] + begin[places],
                    np.minimum(captured[places], snap),
                    _nanoseconds(ticks[places], interface),
                    wire[places],
                )
            )
        return packet_runs, count == len(is_good)


def _nanoseconds(ticks: U64, interface: _Interface) -> U64:
    """Return ticks as nanoseconds since the epoch; what does not fit into 64 bits wraps."""
    per_s = interface.ticks_per_s
    if NS_PER_S % per_s == 0:
        with np.errstate(over="ignore"):
            ns = ticks * np.uint64(NS_PER_S // per_s)
    else:
        ns = np.array([tick * NS_PER_S // per_s & _U64_MASK for tick in ticks.tolist()], np.uint64)
    shifted: U64 = ns + np.uint64(interface.offset_s * NS_PER_S & _U64_MASK)
    return shifted


def _options(
    data: Searchable, offset: int, end: int, order: str
) -> list[tuple[int, int, int]] | None:
    """Return code, place and length of each option; None where one reaches behind its block."""
    options = []
    while offset + 4 <= end:
        code, length = struct.unpack_from(f"{order}HH", data, offset)
        if code == _END_OF_OPTIONS:
            break
        offset += 4
        if offset + length > end:
            return None
        options.append((code, offset, length))
        offset += (length + 3) // 4 * 4
    return options


def _interface(
    data: Searchable, start: int, options: list[tuple[int, int, int]], order: str
) -> _Interface:
    link_type, _, snap_bytes = struct.unpack_from(f"{order}HHI", data, start)
    ticks_per_s, offset_s = 10**_MICROSECONDS, 0
    for code, offset, length in options:
        if code == _TIME_RESOLUTION and length == 1:
            power = data[offset] & 0x7F
            ticks_per_s = (2 if data[offset] & 0x80 else 10) ** power
        elif code == _TIME_OFFSET and length == 8:
            (offset_s,) = struct.unpack_from(f"{order}q", data, offset)
    return _Interface(link_type, snap_bytes, ticks_per_s, offset_s)


def _groups(buffer: U8, packet_runs: list[tuple[_Packets, int]]) -> list[FrameGroup]:
    """Return one group a link type, each in the order of the file."""
    groups = []
    for link_type in dict.fromkeys(packets.interface.link_type for packets, _ in packet_runs):
        parts = [each for each in packet_runs if each[0].interface.link_type == link_type]
        numbers = np.concatenate([packets.places + before + 1 for packets, before in parts])
        order = np.argsort(numbers, kind="stable")
        frames = Frames(
            buffer,
            np.concatenate([packets.at for packets, _ in parts])[order],
            np.concatenate([packets.captured for packets, _ in parts])[order],
            np.concatenate([packets.ts_ns for packets, _ in parts])[order],
            np.concatenate([packets.wire_bytes for packets, _ in parts])[order].astype(np.uint32),
            link_type,
        )
        groups.append(FrameGroup(frames, numbers[order]))
    return groups
