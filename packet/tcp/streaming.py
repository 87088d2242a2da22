"""Pure: the analysis of more packets than fit into memory, block after block.

It takes two passes. The first finds the connections that reach over a block's end; in the second
those are followed packet by packet, as their state can be kept, and all others as usual.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from packet.decode.columns import PROTOCOL_TCP, U64, Mask, PacketColumns
from packet.tcp.analysis import TcpAnalysis, analyse_packets, follow
from packet.tcp.state_machine import Connection
from packet.tcp.vectorized import order_by_flow


@dataclass(slots=True)
class Spans:
    """Which connections are in more than one block; the first pass."""

    _seen: U64 = field(default_factory=lambda: np.zeros(0, np.uint64))
    _again: U64 = field(default_factory=lambda: np.zeros(0, np.uint64))

    def add(self, columns: PacketColumns) -> None:
        """Look at one more block."""
        hashes = np.unique(columns.flow_hash[columns.protocol == PROTOCOL_TCP])
        self._again = np.union1d(self._again, np.intersect1d(hashes, self._seen))
        self._seen = np.union1d(self._seen, hashes)

    def hold(self, columns: PacketColumns) -> Mask:
        """Return which packets are of such a connection."""
        return np.isin(columns.flow_hash, self._again)


@dataclass(slots=True)
class _Followed:
    """A connection in several blocks, and the end that sent its first packet."""

    connection: Connection
    src: bytes
    src_port: int


class BlockAnalysis:
    """The second pass."""

    def __init__(self, spans: Spans) -> None:
        self._spans = spans
        self._followed: dict[int, _Followed] = {}

    def analyse(self, columns: PacketColumns, is_partial: Mask) -> TcpAnalysis:
        """Return what each packet of the next block is."""
        spanning = self._spans.hold(columns)
        result = analyse_packets(columns, is_partial | spanning)
        is_chosen = spanning & ~is_partial & (columns.protocol == PROTOCOL_TCP)
        flows = order_by_flow(columns, np.flatnonzero(is_chosen))
        for start, end in zip(flows.starts.tolist(), flows.ends.tolist(), strict=True):
            rows = flows.rows[start:end]
            first = int(rows[0])
            key = int(columns.flow_hash[first])
            src, src_port = columns.src[first].tobytes(), int(columns.src_port[first])
            followed = self._followed.setdefault(key, _Followed(Connection(), src, src_port))
            is_same = (followed.src, followed.src_port) == (src, src_port)
            from_first = flows.from_first[start:end]
            follow(followed.connection, columns, rows, from_first == is_same, result)
        return result
