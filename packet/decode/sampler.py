"""Pure: which flows are kept, decided alike by everyone who sees a packet of the flow.

A flow is kept in one epoch and dropped in the next, so that each connection of a long-lived pool
has its turn: with a draw for life, 50 pooled connections at 0.1 % are all missed with probability
95 %. The lower half of a flow's hash is made of 32-bit multiplications, shifts and additions only,
so that classic BPF in a kernel can come to the same decision without a table.

Source: hash-based selection, RFC 5475 section 6.2; the mixing steps are MurmurHash3's finaliser.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collector.core.times import NS_PER_S
from packet.decode.columns import MAPPED_WORD, U8, U16, U32, U64, Mask, PacketColumns, port_pairs

MIX_1, MIX_2 = 0x85EBCA6B, 0xC2B2AE35  # MurmurHash3, fmix32
PORT = 0x9E3779B1  # 2^32 / golden ratio, odd: ports that differ by one land far apart
_EPOCH = 0x632BE5AB  # odd, so that epochs 0, 1, 2... give different seeds
# Two independent lanes: 32 bits alone collide at 65 k flows, and flow_hash names a flow in tables.
_LANE_LOW, _LANE_HIGH = 0x00000000, 0x7F4A7C15


# What the first three words of every IPv4 address, 0, 0 and ffff, are mixed to in the lower lane.
IPV4_PREFIX = (lambda mixed: mixed ^ mixed >> 15)(MAPPED_WORD * MIX_1 & 0xFFFFFFFF)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which packets to take: seen in [from_ns, to_ns), and of the named flows or the sample."""

    from_ns: int
    to_ns: int
    # Flows by their two ports, `columns.port_pair`: what a span always knows. It often knows its
    # peer's address by a name only, so addresses are compared when packets are linked.
    port_pairs: AbstractSet[int] | None = None
    sample_ratio: float = 1.0
    sample_epoch_s: int = 10

    def of(self, columns: PacketColumns) -> Mask:
        """Return which of the packets are selected."""
        return self.among(columns.ts_ns, columns.flow_hash, columns.src_port, columns.dst_port)

    def among(self, ts_ns: U64, flow_hash: U64, src_port: U16, dst_port: U16) -> Mask:
        """Return which packets are selected, of which no more than this is known."""
        selected: Mask = (ts_ns >= self.from_ns) & (ts_ns < self.to_ns)
        if self.port_pairs is not None:
            wanted = np.fromiter(self.port_pairs, np.uint32, len(self.port_pairs))
            selected &= np.isin(port_pairs(src_port, dst_port), wanted)
        if self.sample_ratio < 1:
            epoch = epochs(ts_ns, self.sample_epoch_s)
            selected &= keep(flow_hash, epoch, self.sample_ratio)
        return selected


def flow_hashes(src: U32, dst: U32, src_port: U16, dst_port: U16, protocol: U8) -> U64:
    """Return one hash a packet that is the same for both directions of its connection.

    Args:
        src: (N, 4) words of the address, see `columns.PacketColumns`; `dst` likewise.
        dst: see `src`.
        src_port: N ports.
        dst_port: N ports.
        protocol: N IP protocol numbers.
    """
    low = _lane(src, dst, src_port, dst_port, protocol, _LANE_LOW)
    high = _lane(src, dst, src_port, dst_port, protocol, _LANE_HIGH)
    hashes: U64 = (high.astype(np.uint64) << np.uint64(32)) | low.astype(np.uint64)
    return hashes


def keep(flow_hash: U64, epoch: NDArray[np.integer], ratio: float) -> Mask:
    """Return which packets belong to the sample.

    Thresholds nest: what a lower ratio keeps, every higher ratio keeps too.

    Args:
        flow_hash: as `flow_hashes` gives it.
        epoch: number of the epoch of each packet, or one for all, see `epochs`.
        ratio: share of the flows to keep, 0 to 1.
    """
    drawn = _finish((flow_hash & np.uint64(0xFFFFFFFF)).astype(np.uint32) ^ epoch_seeds(epoch))
    kept: Mask = drawn.astype(np.uint64) < np.uint64(threshold(ratio))
    return kept


def threshold(ratio: float) -> int:
    """Return what a draw has to be less than; 2^32, which 32 bits cannot hold, keeps all."""
    return round(ratio * 2**32)


def epoch_seeds(epoch: NDArray[np.integer]) -> U32:
    """Return what is mixed into every draw of an epoch."""
    return _finish(epoch.astype(np.uint32) * np.uint32(_EPOCH) + np.uint32(PORT))


def epochs(ts_ns: U64, epoch_s: int) -> U64:
    """Return the number of the epoch in which each packet was seen."""
    numbers: U64 = ts_ns // np.uint64(epoch_s * NS_PER_S)
    return numbers


def _lane(src: U32, dst: U32, src_port: U16, dst_port: U16, protocol: U8, seed: int) -> U32:
    # A sum of the two ends is what makes it symmetric; each end is mixed to the last bit before,
    # because neighbouring ports on one address would else cancel out in the sum.
    ends = _endpoint(src, src_port, seed) + _endpoint(dst, dst_port, seed)
    return _finish(ends ^ (protocol.astype(np.uint32) * np.uint32(MIX_1)))


def _endpoint(address: U32, port: U16, seed: int) -> U32:
    mixed = np.full(len(port), seed, np.uint32)
    for word in range(4):
        mixed = (mixed ^ address[:, word]) * np.uint32(MIX_1)
        mixed = mixed ^ (mixed >> np.uint32(15))
    return _finish(mixed ^ (port.astype(np.uint32) * np.uint32(PORT)))


def _finish(value: U32) -> U32:
    value = (value ^ (value >> np.uint32(16))) * np.uint32(MIX_1)
    value = (value ^ (value >> np.uint32(13))) * np.uint32(MIX_2)
    finished: U32 = value ^ (value >> np.uint32(16))
    return finished
