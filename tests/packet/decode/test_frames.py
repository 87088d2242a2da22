from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from collector.core.errors import DecodeError
from packet.decode.decode import decode
from packet.decode.frames import concat_frames, frames_of, parse_pcap

_MAGICS = [
    ("<", 0xA1B2C3D4, 1000),
    (">", 0xA1B2C3D4, 1000),
    ("<", 0xA1B23C4D, 1),
    (">", 0xA1B23C4D, 1),
]


def _pcap(
    records: list[bytes], order: str = "<", magic: int = 0xA1B23C4D, link_type: int = 1
) -> bytes:
    head = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 262_144, link_type)
    return head + b"".join(
        struct.pack(f"{order}IIII", 1_700_000_000, 123_456, len(record), len(record) + 7) + record
        for record in records
    )


@pytest.mark.parametrize(("order", "magic", "tick_ns"), _MAGICS)
def test_each_magic_gives_the_same_frames(order: str, magic: int, tick_ns: int) -> None:
    """Byte order and the unit of time are the file's own."""
    frames = parse_pcap(_pcap([b"one", b"", b"three"], order, magic))
    assert [frames.frame(row) for row in range(len(frames))] == [b"one", b"", b"three"]
    assert frames.ts_ns.tolist() == [1_700_000_000_000_000_000 + 123_456 * tick_ns] * 3
    assert frames.wire_bytes.tolist() == [10, 7, 12]
    assert frames.unread_bytes == 0


@pytest.mark.parametrize("order", ["<", ">"])
def test_patched_records_have_a_longer_head(order: str) -> None:
    """Kuznetzov's pcap, of old Linux distributions, names interface and protocol there."""
    data = struct.pack(f"{order}IHHiIII", 0xA1B2CD34, 2, 4, 0, 0, 262_144, 1)
    for frame in (b"one", b"three"):
        head = struct.pack(f"{order}IIIIIHBB", 1_700_000_000, 5, len(frame), 60, 2, 8, 0, 0)
        data += head + frame
    frames = parse_pcap(data)
    assert [frames.frame(row) for row in range(len(frames))] == [b"one", b"three"]
    assert frames.ts_ns.tolist() == [1_700_000_000_000_005_000] * 2
    assert frames.wire_bytes.tolist() == [60, 60]
    assert frames.unread_bytes == 0


def test_fraction_of_more_than_a_second_wraps_in_32_bits() -> None:
    """It is wrong, and Wireshark shows the same wrong time."""
    data = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1)
    data += struct.pack("<IIII", 1_147_551_795, 8_915_240, 1, 1) + b"x"
    assert parse_pcap(data).ts_ns.tolist() == [1_147_551_795_325_305_408]


@given(st.integers(1, 18))
def test_record_that_is_cut_off_ends_the_file(cut: int) -> None:
    """A capture that is still being written is read as far as it goes, and says so."""
    frames = parse_pcap(_pcap([b"first", b"xx"])[:-cut])
    assert frames.frame(0) == b"first"
    assert len(frames) == 1
    assert frames.unread_bytes == 18 - cut


@pytest.mark.parametrize("version", [(0, 0), (1, 4), (2, 5), (3, 0), (65_535, 65_535)])
def test_version_that_never_was_is_refused(version: tuple[int, int]) -> None:
    """Its records have another form, and everything read of them would be made up."""
    header = struct.pack("<IHHiIII", 0xA1B2C3D4, *version, 0, 0, 65_535, 1)
    with pytest.raises(DecodeError, match=f"version {version[0]}\\.{version[1]}, expected 2.4"):
        parse_pcap(header + _pcap([b"first"])[24:])


def test_link_type_with_reserved_bits_is_refused() -> None:
    """What the lower half then says is a guess; a check sequence at the end is none."""
    with pytest.raises(DecodeError, match="reserved bits"):
        parse_pcap(_pcap([b"first"], link_type=0x00010001))
    assert parse_pcap(_pcap([b"first"], link_type=0x24000001)).link_type == 1


@given(st.binary(max_size=400))
def test_arbitrary_bytes_raise_only_decode_error(data: bytes) -> None:
    """A file from outside is refused by name, or read."""
    with pytest.raises(DecodeError, match="convert other formats"):
        parse_pcap(b"\x00" + data)


@pytest.mark.parametrize("deep", [True, False])
@pytest.mark.parametrize(
    ("total", "is_packet"), [(10, False), (19, False), (22, False), (30, True)]
)
def test_packet_that_says_it_is_shorter_than_its_header_is_refused(
    total: int, is_packet: bool, deep: bool
) -> None:
    """Ports that lie behind its end are no ports; of a longer one they are all that is true."""
    frame = bytearray(bytes(Ether() / IP() / TCP() / Raw(b"x" * 10)))
    frame[16:18] = total.to_bytes(2, "big")
    decoded = decode(frames_of([(5, len(frame), bytes(frame))]), deep=deep, partial=True)
    assert len(decoded.columns) == is_packet
    assert decoded.is_partial.tolist() == [True] * is_packet
    assert sum(decoded.undecoded.values()) == 1 - is_packet


@given(st.binary(max_size=300), st.sampled_from([0, 1, 101, 113, 276, 9999]))
def test_arbitrary_records_are_decoded_or_counted(data: bytes, link_type: int) -> None:
    """Whatever follows a good header, each of its frames ends somewhere."""
    frames = parse_pcap(_pcap([], link_type=link_type) + data)
    decoded = decode(frames)
    assert len(decoded.columns) + sum(decoded.undecoded.values()) == len(frames)


@given(st.lists(st.binary(max_size=20), max_size=8), st.data())
def test_taken_and_joined_frames_keep_their_bytes(
    records: list[bytes], draw: st.DataObject
) -> None:
    """The recorder hands over single frames out of large blocks."""
    frames = frames_of([(index, 99, record) for index, record in enumerate(records)])
    chosen = draw.draw(st.lists(st.booleans(), min_size=len(records), max_size=len(records)))
    taken = frames.take(np.array(chosen, np.bool_))
    both = concat_frames([taken, frames])
    wanted = [record for record, is_in in zip(records, chosen, strict=True) if is_in] + records
    assert [both.frame(row) for row in range(len(both))] == wanted
