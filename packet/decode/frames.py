"""Pure: captured frames as one buffer with offsets; from a pcap's bytes, from a ring's blocks."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from collector.core.errors import DecodeError
from collector.core.times import NS_PER_S
from packet.decode.columns import I64, U8, U32, U64, Mask
from packet.decode.record_starts import RECORD_BYTES_MAX, RecordForm, Searchable, record_starts

LINK_ETHERNET = 1  # LINKTYPE_ETHERNET, tcpdump.org/linktypes.html

PCAP_HEADER_BYTES: Final = 24
_PCAP_RECORD = 16
_U32_MASK = 2**32 - 1
# Kuznetzov's, of old Linux distributions: interface, protocol and packet type follow.
_PCAP_RECORD_PATCHED = 24
# Magic as bytes on disk -> (byte order, nanoseconds a tick of the fraction, bytes before a frame).
_PCAP_MAGICS = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000, _PCAP_RECORD),
    b"\xa1\xb2\xc3\xd4": (">", 1000, _PCAP_RECORD),
    b"\x4d\x3c\xb2\xa1": ("<", 1, _PCAP_RECORD),
    b"\xa1\xb2\x3c\x4d": (">", 1, _PCAP_RECORD),
    b"\x34\xcd\xb2\xa1": ("<", 1000, _PCAP_RECORD_PATCHED),
    b"\xa1\xb2\xcd\x34": (">", 1000, _PCAP_RECORD_PATCHED),
}

# As libpcap takes them; the last is what DG/UX wrote.
_PCAP_VERSIONS = {(2, minor) for minor in range(5)} | {(543, 0)}

_RESERVED_BITS: Final = 0x03FF0000  # of the link type

# struct tpacket_block_desc and tpacket3_hdr of linux/if_packet.h.
_BLOCK_COUNTS = struct.Struct("=II")  # num_pkts, offset_to_first_pkt
_BLOCK_COUNTS_AT = 12
_RING_RECORD = struct.Struct("=IIIIIIHH")  # next, sec, nsec, snaplen, len, status, mac, net


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """N captured frames: frame i is `data[offsets[i] : offsets[i] + lengths[i]]`."""

    data: U8
    offsets: I64
    lengths: I64  # bytes captured
    ts_ns: U64
    wire_bytes: U32  # bytes that were on the wire
    link_type: int = LINK_ETHERNET
    unread_bytes: int = 0  # at the end of the source, behind a record that was cut off

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.offsets)

    def frame(self, row: int) -> bytes:
        """Return the captured bytes of one frame."""
        start = int(self.offsets[row])
        return self.data[start : start + int(self.lengths[row])].tobytes()

    def between(self, start: int, end: int) -> Frames:
        """Return frames `start` to `end` - 1, or as far as there are, in the same buffer."""
        part = slice(start, end)
        return Frames(
            self.data,
            self.offsets[part],
            self.lengths[part],
            self.ts_ns[part],
            self.wire_bytes[part],
            self.link_type,
        )

    def take(self, rows: I64 | Mask) -> Frames:
        """Return the given frames in a buffer of their own, so that the large one can go."""
        offsets, lengths = self.offsets[rows], self.lengths[rows]
        ends = np.cumsum(lengths)
        starts = ends - lengths
        total = int(ends[-1]) if len(ends) else 0
        source = np.repeat(offsets - starts, lengths) + np.arange(total)
        return Frames(
            self.data[source],
            starts,
            lengths,
            self.ts_ns[rows],
            self.wire_bytes[rows],
            self.link_type,
        )


def frames_of(records: Sequence[tuple[int, int, bytes]], link_type: int = LINK_ETHERNET) -> Frames:
    """Return frames from (ts_ns, wire_bytes, captured bytes)."""
    lengths = np.array([len(record[2]) for record in records], np.int64)
    return Frames(
        np.frombuffer(b"".join(record[2] for record in records), np.uint8),
        np.cumsum(lengths) - lengths,
        lengths,
        np.array([record[0] for record in records], np.uint64),
        np.array([record[1] for record in records], np.uint32),
        link_type,
    )


def concat_frames(parts: Sequence[Frames]) -> Frames:
    """Return the frames of all parts, which share one link type, one part after the other."""
    if not parts:
        return frames_of([])
    assert len({part.link_type for part in parts}) == 1
    shifts = np.cumsum([0] + [part.data.size for part in parts[:-1]])
    return Frames(
        np.concatenate([part.data for part in parts]),
        np.concatenate([part.offsets + shift for part, shift in zip(parts, shifts, strict=True)]),
        np.concatenate([part.lengths for part in parts]),
        np.concatenate([part.ts_ns for part in parts]),
        np.concatenate([part.wire_bytes for part in parts]),
        parts[0].link_type,
    )


def parse_pcap(data: bytes) -> Frames:
    """Return the frames of a pcap file, up to the first record that is cut off.

    Raises:
        DecodeError: `data` does not begin with one of the magics of pcap.
    """
    parser = PcapParser(data[:PCAP_HEADER_BYTES])
    buffer = np.frombuffer(data, np.uint8)
    frames, offset = parser.parse(data, buffer, PCAP_HEADER_BYTES, len(data))
    return replace(frames, unread_bytes=len(data) - offset)


class PcapParser:
    """Reads records of a pcap file whose header it was given. Source: draft-ietf-opsawg-pcap."""

    def __init__(self, header: bytes) -> None:
        """Read the file's header.

        Raises:
            DecodeError: it does not begin with one of the magics of pcap, is cut off, of a version
                that never was, or of a link type that cannot be.
        """
        if len(header) < PCAP_HEADER_BYTES or header[:4] not in _PCAP_MAGICS:
            raise DecodeError(
                f"pcap: begins with {header[:4].hex() or 'nothing'}, expected one of "
                f"{', '.join(magic.hex() for magic in _PCAP_MAGICS)} and a header of 24 bytes; "
                "convert other formats with `editcap -F nsecpcap`"
            )
        order, self._tick_ns, head_bytes = _PCAP_MAGICS[header[:4]]
        version = struct.unpack_from(f"{order}HH", header, 4)
        if version not in _PCAP_VERSIONS:
            raise DecodeError(
                f"pcap: says version {version[0]}.{version[1]}, expected 2.4; its records would be "
                "read by another version's form"
            )
        self._form = RecordForm(order, head_bytes, NS_PER_S // self._tick_ns)
        # The upper six bits say whether frames end in a check sequence; ten are reserved.
        link_type: int = struct.unpack_from(f"{order}I", header, 20)[0]
        if link_type & _RESERVED_BITS:
            raise DecodeError(f"pcap: says link type {link_type:#x}, which has reserved bits set")
        self.link_type = link_type & 0xFFFF

    def parse(
        self, data: Searchable, buffer: U8, offset: int, bytes_max: int
    ) -> tuple[Frames, int]:
        """Return the frames of the whole records from `offset` on, and where the next one begins.

        Args:
            data: the file, or a part of it.
            buffer: the same bytes.
            offset: where a record begins.
            bytes_max: read about so many, and at least one record.
        """
        head = self._form.head_bytes
        starts = record_starts(
            data, buffer, offset, min(offset + bytes_max, buffer.size), self._form
        )
        if not len(starts):
            return frames_of([], self.link_type), offset
        fields = np.ascontiguousarray(sliding_window_view(buffer, _PCAP_RECORD)[starts])
        words = fields.view(f"{self._form.order}u4").astype(np.int64)
        captured = words[:, 2]
        ends = starts + head + captured
        # A record longer than any frame is a length that lies, and what follows it is noise.
        bad = np.flatnonzero((captured > RECORD_BYTES_MAX) | (ends > buffer.size))
        count = int(bad[0]) if len(bad) else len(starts)
        offset = int(starts[count]) if count < len(starts) else int(ends[-1])
        words, starts = words[:count], starts[:count]
        frames = Frames(
            buffer,
            starts + head,
            captured[:count],
            # A fraction of more than a second is wrong; it wraps in 32 bits, as Wireshark has it.
            (words[:, 0] * NS_PER_S + (words[:, 1] * self._tick_ns & _U32_MASK)).astype(np.uint64),
            words[:, 3].astype(np.uint32),
            self.link_type,
        )
        return frames, offset


def parse_blocks(blocks: Sequence[bytes]) -> Frames:
    """Return the frames of retired TPACKET_V3 blocks.

    Source: Documentation/networking/packet_mmap.rst of the Linux kernel.
    """
    rows: list[tuple[int, int, int, int]] = []
    base = 0
    for block in blocks:
        count, offset = _BLOCK_COUNTS.unpack_from(block, _BLOCK_COUNTS_AT)
        for _ in range(count):
            step, sec, nsec, captured, wire_bytes, _, mac, _ = _RING_RECORD.unpack_from(
                block, offset
            )
            rows.append((base + offset + mac, captured, sec * NS_PER_S + nsec, wire_bytes))
            offset += step
        base += len(block)
    return _frames(np.frombuffer(b"".join(blocks), np.uint8), rows, LINK_ETHERNET, 0)


def _frames(
    data: U8, rows: Sequence[tuple[int, int, int, int]], link_type: int, unread_bytes: int
) -> Frames:
    table = np.array(rows, np.int64).reshape(-1, 4)
    return Frames(
        data,
        table[:, 0],
        table[:, 1],
        table[:, 2].astype(np.uint64),
        table[:, 3].astype(np.uint32),
        link_type,
        unread_bytes,
    )
