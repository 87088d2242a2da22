"""Pure: IEEE 802.11 frames, and what monitoring interfaces put before them."""

from __future__ import annotations

import struct

from packet.decode.layers import NOT_IP, FrameCursor, Step, llc


def wireless(cursor: FrameCursor) -> Step:
    """Read a data frame that is not encrypted."""
    return _data_frame(cursor, cursor.byte(0), cursor.byte(1))


def wireless_swapped(cursor: FrameCursor) -> Step:
    """Read a data frame whose frame control has its two bytes in the other order."""
    return _data_frame(cursor, cursor.byte(1), cursor.byte(0))


def _data_frame(cursor: FrameCursor, control: int, flags: int) -> Step:
    kind, subtype = control >> 2 & 3, control >> 4
    if control & 3 or kind != 2 or subtype & 4 or flags & 0x40:
        return NOT_IP
    header = 24 + 6 * (flags & 3 == 3)
    if subtype & 8:
        if cursor.byte(header) & 0x80:
            # An aggregate: the first of its frames, behind two addresses and a length.
            return cursor.skip(header + 2 + 14, llc)
        header += 2 + 4 * bool(flags & 0x80)
    return cursor.skip(header, llc)


_PADDED = 0x20  # of the radiotap flags: the header is followed by bytes up to a word


def radiotap(cursor: FrameCursor) -> Step:
    """Read the header of radiotap.org."""
    (size,) = struct.unpack_from("<H", cursor.data, cursor.position + 2)
    (present,) = struct.unpack_from("<I", cursor.data, cursor.position + 4)
    offset, more = 8, present
    while more & 0x80000000:
        (more,) = struct.unpack_from("<I", cursor.data, cursor.position + offset)
        offset += 4
    if present & 1:
        offset = (offset + 7) // 8 * 8 + 8
    padded = bool(present & 2 and cursor.byte(offset) & _PADDED)
    cursor.position += size
    if not padded:
        return wireless
    header = 24 + 6 * (cursor.byte(1) & 3 == 3) + 2 * bool(cursor.byte(0) & 0x80)
    step = wireless(cursor)
    cursor.position += -header % 4
    return step


def prism(cursor: FrameCursor) -> Step:
    """Read the header of Prism cards, or AVS's, which came after it."""
    if cursor.u32(0) >> 16 == 0x8021:  # AVS, which states its length
        return cursor.skip(cursor.u32(4), wireless)
    return cursor.skip(144, wireless)
