"""Pure: link and IP headers of many frames at once, down to where TCP or UDP begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from packet.decode.columns import I64, PROTOCOL_TCP, PROTOCOL_UDP, SACK_EDGES, U8, U16, U32, Mask
from packet.decode.frames import LINK_ETHERNET, Frames
from packet.decode.link_types import FAMILIES_V4, FAMILIES_V6
from packet.decode.source_routes import ROUTE_OPTIONS, ROUTING

ETHERTYPE_IPV4: Final = 0x0800
ETHERTYPE_IPV6: Final = 0x86DD
_VLANS: Final = (0x8100, 0x88A8, 0x9100, 0x9200)
_VLANS_MAX: Final = 8
# Under these the walk through the layers may find TCP or UDP: 802.3 lengths, MPLS, PPPoE, tags.
_LENGTH_MAX: Final = 1500
_DEEP_ETHERTYPES: Final = (
    *_VLANS, 0x22F3, 0x6558, 0x8847, 0x8848, 0x8864, 0x8870, 0x880B, 0x88E5, 0x88E7, 0x8903, 0x8909,
    0x8926, 0x892F, 0x893F, 0x894F, 0xF1C1,
)  # fmt: skip
# IPIP, 6in4, fragment, GRE, AH, IPIP again, EtherIP, IPComp, MPLS, Ethernet.
DEEP_PROTOCOLS: Final = (4, 41, 44, 47, 51, 94, 97, 108, 137, 143)
# Hop-by-hop, routing, AH, destination options, mobility, HIP, shim6.
_EXTENSIONS: Final = (0, ROUTING, 51, 60, 135, 139, 140)
_AUTHENTICATION: Final = 51
_EXTENSIONS_MAX: Final = 8

_LINK_RAW: Final = (12, 14, 101, 228, 229)
_LINK_FAMILY: Final = (0, 108)
_COOKED: Final = {113: (14, 16, 2), 276: (0, 20, 8)}  # protocol, header, hardware type
_HARDWARE_GRE: Final = 778


def has_fast_path(link_type: int) -> bool:
    """Return whether frames of a link type are read all at once."""
    return link_type in (LINK_ETHERNET, *_LINK_RAW, *_LINK_FAMILY, *_COOKED)


def windows(data: U8, starts: I64, width: int) -> U8:
    """Return `width` bytes from each place; zeros where the buffer ends before."""
    last = data.size - width
    if last < 0:
        data = np.concatenate([data, np.zeros(width, np.uint8)])
        last = data.size - width
    if len(starts) and int(starts.max()) > last:
        return _windows_at_the_end(data, starts, width)
    rows: U8 = sliding_window_view(data, width)[starts]
    return rows


def _windows_at_the_end(data: U8, starts: I64, width: int) -> U8:
    last = data.size - width
    rows: U8 = sliding_window_view(data, width)[np.minimum(starts, last)]
    for row in np.flatnonzero(starts > last).tolist():
        tail = data[int(starts[row]) : int(starts[row]) + width]
        rows[row] = 0
        rows[row, : tail.size] = tail
    return rows


def u16(data: U8, offsets: I64) -> U16:
    """Return two bytes from each place, which must lie within the buffer."""
    value: U16 = (data[offsets].astype(np.uint16) << np.uint16(8)) | data[offsets + 1]
    return value


def network_starts(frames: Frames) -> tuple[I64, U16, Mask]:
    """Return where IP begins, the EtherType, and whether all of the link header was captured.

    An EtherType of 0 stands for one that only the walk through the layers understands.
    """
    starts, ends = frames.offsets, frames.offsets + frames.lengths
    if frames.link_type == LINK_ETHERNET:
        return _ethernet(frames.data, starts, ends)
    if frames.link_type in _LINK_RAW:
        return _raw(frames.data, starts, ends)
    if frames.link_type in _LINK_FAMILY:
        return _family(frames.data, starts, ends)
    protocol_at, header, hardware_at = _COOKED[frames.link_type]
    is_read = starts + header <= ends
    offsets = np.where(is_read, starts, 0)
    if not len(offsets) or frames.data.size < header:
        return starts, np.zeros(len(starts), np.uint16), np.zeros(len(starts), np.bool_)
    kinds = u16(frames.data, offsets + protocol_at)
    kinds[u16(frames.data, offsets + hardware_at) == _HARDWARE_GRE] = 0
    return starts + header, kinds, is_read


def _ethernet(data: U8, starts: I64, ends: I64) -> tuple[I64, U16, Mask]:
    at = starts + 14
    is_read = at <= ends
    if not is_read.any():
        return at, np.zeros(len(at), np.uint16), is_read
    kinds = u16(data, np.where(is_read, at, 14) - 2)
    for _ in range(_VLANS_MAX):
        tagged = np.flatnonzero(np.isin(kinds, _VLANS) & is_read)
        if not len(tagged):
            break
        at[tagged] += 4
        is_read[tagged] = at[tagged] <= ends[tagged]
        tagged = tagged[is_read[tagged]]
        kinds[tagged] = u16(data, at[tagged] - 2)
    return at, kinds, is_read


def _raw(data: U8, starts: I64, ends: I64) -> tuple[I64, U16, Mask]:
    is_read = starts < ends
    kinds = np.zeros(len(starts), np.uint16)
    versions = data[starts[is_read]] >> 4
    kinds[is_read] = np.select([versions == 4, versions == 6], [ETHERTYPE_IPV4, ETHERTYPE_IPV6])
    return starts, kinds, is_read


def _family(data: U8, starts: I64, ends: I64) -> tuple[I64, U16, Mask]:
    is_read = starts + 4 <= ends
    kinds = np.zeros(len(starts), np.uint16)
    head = windows(data, starts[is_read], 4)
    big, little = head.view(">u4")[:, 0], head.view("<u4")[:, 0]
    number = np.minimum(big, little)  # whichever order the host had, a family is a small number
    is_v4, is_v6 = np.isin(number, tuple(FAMILIES_V4)), np.isin(number, tuple(FAMILIES_V6))
    kinds[is_read] = np.select([is_v4, is_v6], [ETHERTYPE_IPV4, ETHERTYPE_IPV6])
    return starts + 4, kinds, is_read


def is_deep(kinds: U16) -> Mask:
    """Return which EtherTypes the walk through the layers may get something out of."""
    deep: Mask = (kinds <= _LENGTH_MAX) | np.isin(kinds, _DEEP_ETHERTYPES)
    return deep


@dataclass(frozen=True, slots=True, eq=False)
class Extensions:
    """Where the headers behind IPv6 end."""

    at: I64
    protocol: U8
    is_read: Mask  # as far as they were captured, they were read
    is_routed: Mask  # one of them says through which addresses the packet goes


def skip_extensions(data: U8, offsets: I64, protocol: U8, ends: I64) -> Extensions:
    """Return what follows the extension headers of IPv6 packets. Source: RFC 8200."""
    offsets, protocol = offsets.copy(), protocol.copy()
    is_read, is_routed = np.ones(len(offsets), np.bool_), np.zeros(len(offsets), np.bool_)
    for _ in range(_EXTENSIONS_MAX):
        rows = np.flatnonzero(np.isin(protocol, _EXTENSIONS) & is_read)
        if not len(rows):
            break
        is_read[rows] = offsets[rows] + 2 <= ends[rows]
        rows = rows[is_read[rows]]
        size = data[offsets[rows] + 1].astype(np.int64)
        is_auth = protocol[rows] == _AUTHENTICATION
        is_routed[rows] |= protocol[rows] == ROUTING
        protocol[rows] = data[offsets[rows]]
        offsets[rows] += np.where(is_auth, (size + 2) * 4, (size + 1) * 8)
    is_read &= ~np.isin(protocol, _EXTENSIONS)
    return Extensions(offsets, protocol, is_read, is_routed)


_IPV4_BYTES, _IPV4_OPTIONS_MAX = 20, 40


def may_be_routed(data: U8, offsets: I64, header: I64) -> Mask:
    """Return which IPv4 packets may have a source route among their options.

    Args:
        data: the buffer.
        offsets: where each IPv4 header begins.
        header: how long it is, in bytes.
    """
    mask = np.zeros(len(offsets), np.bool_)
    long = np.flatnonzero(header > _IPV4_BYTES)
    options = windows(data, offsets[long] + _IPV4_BYTES, _IPV4_OPTIONS_MAX)
    is_mine = np.arange(_IPV4_OPTIONS_MAX) < (header[long] - _IPV4_BYTES)[:, None]
    mask[long] = (np.isin(options, ROUTE_OPTIONS) & is_mine).any(axis=1)
    return mask


_NO_OPERATION, _SACK = 1, 5
# Two no-ops and a timestamp, 12 bytes: the options that most packets have.
TIMESTAMP_ALONE: Final = 0x0101080A
_OPTIONS_MAX: Final = 40


def sack_edges(data: U8, offsets: I64, header: I64, ends: I64) -> tuple[I64, U32]:
    """Return the rows that have SACK blocks, and the edges of each. Source: RFC 2018.

    Args:
        data: the buffer.
        offsets: where each TCP header begins.
        header: how long it is, in bytes.
        ends: of what was captured.
    """
    optional = np.flatnonzero(header > 20)
    sack = np.zeros((len(optional), SACK_EDGES), np.uint32)
    place = offsets[optional] + 20
    limit = np.minimum(offsets[optional] + header[optional], ends[optional])
    left = np.arange(len(optional))
    for _ in range(_OPTIONS_MAX):
        left = left[place[left] < limit[left]]
        kind = data[place[left]]
        place[left[kind == _NO_OPERATION]] += 1
        left, kind = left[kind != 0], kind[kind != 0]
        long = left[kind != _NO_OPERATION]
        kind = kind[kind != _NO_OPERATION]
        if not len(left):
            break
        fits = place[long] + 2 <= limit[long]
        left = np.setdiff1d(left, long[~fits], assume_unique=True)
        long, kind = long[fits], kind[fits]
        size = data[place[long] + 1].astype(np.int64)
        fits = (size >= 2) & (place[long] + size <= limit[long])
        left = np.setdiff1d(left, long[~fits], assume_unique=True)
        long, kind, size = long[fits], kind[fits], size[fits]
        chosen = kind == _SACK
        _read_sack(data, place, long[chosen], size[chosen], sack)
        place[long] += size
    has_sack = sack.any(axis=1)
    return optional[has_sack], sack[has_sack]


def _read_sack(data: U8, place: I64, rows: I64, size: I64, sack: U32) -> None:
    for edge in range(SACK_EDGES):
        rows, size = rows[size >= 6 + 4 * edge], size[size >= 6 + 4 * edge]
        if not len(rows):
            return
        start = place[rows] + 2 + 4 * edge
        high = u16(data, start).astype(np.uint32) << np.uint32(16)
        sack[rows, edge] = high | u16(data, start + 2)


def is_transport(protocol: U8) -> Mask:
    """Return which protocols have columns."""
    is_known: Mask = (protocol == PROTOCOL_TCP) | (protocol == PROTOCOL_UDP)
    return is_known
