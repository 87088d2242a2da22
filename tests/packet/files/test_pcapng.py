from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.core.errors import DecodeError
from packet.files.pcapng import parse_pcapng


def _block(order: str, kind: int, body: bytes) -> bytes:
    body += b"\x00" * (-len(body) % 4)
    length = struct.pack(f"{order}I", len(body) + 12)
    return struct.pack(f"{order}I", kind) + length + body + length


def _section(order: str) -> bytes:
    return _block(order, 0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1))


def _interface(order: str, link_type: int, resolution: int | None = None) -> bytes:
    options = b""
    if resolution is not None:
        options = struct.pack(f"{order}HHB3xHH", 9, 1, resolution, 0, 0)
    return _block(order, 1, struct.pack(f"{order}HHI", link_type, 0, 0) + options)


def _packet(order: str, index: int, ticks: int, frame: bytes) -> bytes:
    head = struct.pack(
        f"{order}IIIII", index, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame) + 7
    )
    return _block(order, 6, head + frame)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("length", "major", "minor"), [(0, 1, 0), (24, 1, 0), (30, 1, 0), (28, 0, 9), (28, 2, 0)]
)
def test_section_header_that_lies_is_refused(
    order: str, length: int, major: int, minor: int
) -> None:
    """What follows a length or a version that never was is no block."""
    body = struct.pack(f"{order}IHHq", 0x1A2B3C4D, major, minor, -1)
    head = struct.pack(f"{order}II", 0x0A0D0D0A, length) + body + struct.pack(f"{order}I", length)
    with pytest.raises(DecodeError, match="section header says"):
        parse_pcapng(head + _interface(order, 1) + _packet(order, 0, 1, b"x"))
    with pytest.raises(DecodeError, match="cut off"):
        parse_pcapng(_section(order)[:14])


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["section", "interface"])
def test_option_that_reaches_behind_its_block_ends_the_file(order: str, kind: str) -> None:
    """How frames are to be read is in these two; what lies there is no description."""
    option = struct.pack(f"{order}HH", 3, 400) + b"abcd"
    section, interface = _section(order), _interface(order, 1)
    if kind == "section":
        head = struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1)
        section = _block(order, 0x0A0D0D0A, head + option)
    else:
        interface = _block(order, 1, struct.pack(f"{order}HHI", 1, 0, 0) + option)
    whole = _section(order) + _interface(order, 1) + _packet(order, 0, 1, b"x")
    assert len(parse_pcapng(whole)) == 1
    (group,) = parse_pcapng(whole + section + interface + _packet(order, 0, 1, b"x"))
    assert len(group.frames) == 1
    assert group.frames.unread_bytes > 0
    assert parse_pcapng(section + interface + _packet(order, 0, 1, b"x")) == []


@pytest.mark.parametrize("order", ["<", ">"])
def test_interfaces_keep_their_link_types_and_units_of_time(order: str) -> None:
    """One file may hold several kinds of link, each with a clock's resolution of its own."""
    data = _section(order) + _interface(order, 1) + _interface(order, 113, 9)
    data += _packet(order, 0, 5_000_001, b"one")
    data += _packet(order, 1, 5_000_000_002, b"three")
    data += _packet(order, 0, 6_000_000, b"")
    ethernet, cooked = parse_pcapng(data)
    assert (ethernet.frames.link_type, cooked.frames.link_type) == (1, 113)
    assert (ethernet.numbers.tolist(), cooked.numbers.tolist()) == ([1, 3], [2])
    assert ethernet.frames.ts_ns.tolist() == [5_000_001_000, 6_000_000_000]
    assert cooked.frames.ts_ns.tolist() == [5_000_000_002]
    assert ethernet.frames.frame(0) == b"one"
    assert cooked.frames.frame(0) == b"three"
    assert cooked.frames.wire_bytes.tolist() == [12]
    assert ethernet.frames.unread_bytes == 0


def test_section_of_the_other_byte_order_may_follow() -> None:
    """Files are joined by writing one after the other; interfaces count anew."""
    data = b"".join(
        _section(order) + _interface(order, 1) + _packet(order, 0, 1, order.encode())
        for order in "<>"
    )
    (group,) = parse_pcapng(data)
    assert [group.frames.frame(row) for row in range(2)] == [b"<", b">"]


def test_time_of_more_than_64_bits_wraps_and_ends_nothing() -> None:
    """Tools write all ones where they know no time; the frames behind are still read."""
    data = _section("<") + _interface("<", 1) + _packet("<", 0, 2**64 - 1, b"first")
    data += _packet("<", 0, 7, b"second")
    (group,) = parse_pcapng(data)
    assert group.frames.ts_ns.tolist() == [(2**64 - 1) * 1000 % 2**64, 7000]
    assert group.frames.frame(1) == b"second"


@given(st.integers(1, 36))
def test_block_that_is_cut_off_ends_the_file(cut: int) -> None:
    """A capture that is still being written is read as far as it goes, and says so."""
    data = _section("<") + _interface("<", 1) + _packet("<", 0, 1, b"first")
    last = _packet("<", 0, 2, b"last")
    (group,) = parse_pcapng((data + last)[: len(data) + len(last) - cut])
    assert len(group.frames) == 1
    assert group.frames.unread_bytes == len(last) - cut


@given(st.integers(0, 200), st.integers(0, 255))
def test_changed_byte_never_reaches_outside_the_file(at: int, value: int) -> None:
    """A length or an interface that lies ends the reading, or leaves frames within the data."""
    data = bytearray(_section("<") + _interface("<", 1, 9) + _packet("<", 0, 1, b"x" * 60) * 2)
    data[at % len(data)] = value
    try:
        groups = parse_pcapng(bytes(data))
    except DecodeError:
        return
    for group in groups:
        assert (group.frames.offsets + group.frames.lengths <= len(data)).all()


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused_by_name_or_read(tail: bytes) -> None:
    """What follows a good header is read or left; other files are refused."""
    parse_pcapng(_section("<") + _interface("<", 1) + tail)
    with pytest.raises(DecodeError, match="expected a section header"):
        parse_pcapng(b"\x00" + tail)
