"""Pure: TCP and UDP inside VXLAN, GENEVE and GRE, of many frames at once.

What such a tunnel carries begins at a place that few bytes of the outer headers tell, and is read
as frames are that nothing carried. Only what is whole and clear is taken from here; the walk
through the layers judges all else, as if it had come to it first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from packet.decode.columns import I64, PROTOCOL_UDP, Mask, PacketColumns, concat_columns
from packet.decode.frames import LINK_ETHERNET, Frames
from packet.decode.headers import (
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    has_fast_path,
    network_starts,
    windows,
)
from packet.decode.tunnels import GENEVE_PORT, TUNNELS, VXLAN_PORTS
from packet.decode.vectorized import UDP_BYTES, read_fast

_GRE: Final = 47
_IPV4, _IPV6 = 20, 40
_LINK_RAW: Final = 101
_ETHERTYPE_ETHERNET: Final = 0x6558
_HEAD: Final = 12  # of UDP and the first words behind it, or of GRE
_TUNNEL_PORTS: Final = np.array(sorted(TUNNELS), np.uint16)


@dataclass(frozen=True, slots=True, eq=False)
class _Carried:
    """What some frames carry: where it begins and ends, and the EtherType of what it is."""

    rows: I64
    at: I64
    until: I64
    kinds: I64

    def where(self, chosen: Mask) -> _Carried:
        return _Carried(*(each[chosen] for each in (self.rows, self.at, self.until, self.kinds)))


def read_tunnels(frames: Frames, rows: I64, is_joining: bool) -> tuple[PacketColumns, I64]:
    """Return packets that some frames carry in a tunnel, and the row of each.

    Args:
        frames: the frames.
        rows: those that `read_fast` left.
        is_joining: as there.
    """
    if not len(rows) or not has_fast_path(frames.link_type):
        return concat_columns([]), np.zeros(0, np.int64)
    carried = _carried(frames, rows)
    is_ethernet = carried.kinds == _ETHERTYPE_ETHERNET
    is_ip = np.isin(carried.kinds, (ETHERTYPE_IPV4, ETHERTYPE_IPV6))
    tables: list[PacketColumns] = []
    taken: list[I64] = []
    for link_type, chosen in ((LINK_ETHERNET, is_ethernet), (_LINK_RAW, is_ip)):
        inner = carried.where(chosen)
        if not len(inner.rows):
            continue
        captured = frames.offsets[inner.rows] + frames.lengths[inner.rows]
        # What lies behind the outer packet is padding.
        lengths = np.minimum(captured, inner.until) - inner.at
        size = (inner.until - inner.at).astype(np.uint32)
        inside = Frames(frames.data, inner.at, lengths, frames.ts_ns[inner.rows], size, link_type)
        fast = read_fast(inside, True, False, is_joining)
        inner_rows = inner.rows[fast.rows]
        tables.append(replace(fast.columns, wire_bytes=frames.wire_bytes[inner_rows]))
        taken.append(inner_rows)
    if not tables:
        return concat_columns([]), np.zeros(0, np.int64)
    return concat_columns(tables), np.concatenate(taken)


def _carried(frames: Frames, rows: I64) -> _Carried:
    """Return what begins behind a tunnel's header, of the given frames that are so."""
    outer = Frames(
        frames.data,
        frames.offsets[rows],
        frames.lengths[rows],
        frames.ts_ns[rows],
        frames.wire_bytes[rows],
        frames.link_type,
    )
    ends = outer.offsets + outer.lengths
    offsets, kinds, is_read = network_starts(outer)
    head = windows(frames.data, np.where(is_read, offsets, outer.offsets), _IPV6)
    halves = head.view(">u2").astype(np.int64)
    is_v4 = (kinds == ETHERTYPE_IPV4) & (head[:, 0] == 0x45) & ((halves[:, 3] & 0x3FFF) == 0)
    is_v6 = (kinds == ETHERTYPE_IPV6) & (head[:, 0] >> 4 == 6)
    size = np.where(is_v4, _IPV4, _IPV6)
    stated = np.where(is_v4, halves[:, 1], halves[:, 2])
    until = offsets + stated + np.where(is_v4, 0, _IPV6)
    protocol = np.where(is_v4, head[:, 9], head[:, 6])
    reported = outer.offsets + np.maximum(outer.wire_bytes.astype(np.int64), outer.lengths)
    until = np.minimum(until, reported)
    behind = offsets + size
    is_whole = (
        is_read & (is_v4 | is_v6) & (stated != 0) & (behind + _HEAD <= np.minimum(ends, until))
    )
    parts = [
        _behind(frames, rows, behind, until, is_whole & (protocol == number), number)
        for number in (PROTOCOL_UDP, _GRE)
    ]
    both = _Carried(
        *(
            np.concatenate([getattr(each, name) for each in parts])
            for name in ("rows", "at", "until", "kinds")
        )
    )
    captured = frames.offsets[both.rows] + frames.lengths[both.rows]
    return both.where(both.at < np.minimum(captured, both.until))


def _behind(
    frames: Frames, rows: I64, behind: I64, until: I64, chosen: Mask, protocol: int
) -> _Carried:
    """Return what UDP or GRE carry of the chosen frames; `behind` is where those begin."""
    rows, offsets, until = rows[chosen], behind[chosen], until[chosen]
    head = windows(frames.data, offsets, _HEAD)
    halves = head.view(">u2").astype(np.int64)
    if protocol == _GRE:
        flags, kinds = halves[:, 0], halves[:, 1]
        size = 4 + 4 * ((flags & 0xC000) != 0) + 4 * ((flags & 0x2000) != 0)
        size += 4 * ((flags & 0x1000) != 0)
        return _Carried(rows, offsets + size, until, np.where(flags & 7 == 0, kinds, 0))
    length = halves[:, 2]
    until = np.where(length >= UDP_BYTES, np.minimum(until, offsets + length), until)
    low, high = halves[:, :2].min(axis=1), halves[:, :2].max(axis=1)
    port = np.where(np.isin(low, _TUNNEL_PORTS), low, high)
    is_geneve, is_vxlan = port == GENEVE_PORT, np.isin(port, VXLAN_PORTS)
    size = UDP_BYTES + 8 + np.where(is_geneve, (head[:, 8] & 0x3F).astype(np.int64) * 4, 0)
    kinds = np.where(is_geneve, halves[:, 5], np.where(is_vxlan, _ETHERTYPE_ETHERNET, 0))
    return _Carried(rows, offsets + size, until, kinds)
