"""Pure: packets -> what each TCP packet is (retransmission, round trip, ...), as Wireshark says it.

Connections in which nothing happens are most of any capture and are done all at once
(`analysis_clean`); the others packet by packet (`analysis_exact`), which takes a tenfold time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from packet.decode.columns import I64, PROTOCOL_TCP, Mask, PacketColumns
from packet.tcp.state_machine import Connection, Segment
from packet.tcp.vectorized import find_clean, order_by_flow

# `rtt_ns` where a packet acknowledges nothing that was seen.
NO_RTT = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True, eq=False)
class TcpAnalysis:
    """What was found for N packets, TCP or not; a row for each, in their order."""

    events: NDArray[np.uint16]  # bits of `analysis_exact`
    rtt_ns: I64  # NO_RTT where there is none
    rtt_valid: Mask  # the segment acknowledged was sent once, and before
    connection: NDArray[np.uint32]  # counts the connections that used the same two endpoints


def analyse_packets(
    columns: PacketColumns, is_partial: Mask | None = None, *, only_exact: bool = False
) -> TcpAnalysis:
    """Return what each packet is. They must come in the order captured, as Wireshark reads them.

    Args:
        columns: the packets; UDP is left blank.
        is_partial: packets whose header was not captured whole; they are left blank too.
        only_exact: do without the fast way, which gives the same: for comparison.
    """
    count = len(columns)
    result = TcpAnalysis(
        np.zeros(count, np.uint16),
        np.full(count, NO_RTT),
        np.zeros(count, np.bool_),
        np.zeros(count, np.uint32),
    )
    counted = columns.protocol == PROTOCOL_TCP
    if is_partial is not None:
        counted &= ~is_partial
    flows = order_by_flow(columns, np.flatnonzero(counted))
    left = np.arange(len(flows.starts))
    if not only_exact:
        left = find_clean(columns, flows, result.rtt_ns, result.rtt_valid)
    for flow in left.tolist():
        rows = flows.rows[flows.starts[flow] : flows.ends[flow]]
        from_first = flows.from_first[flows.starts[flow] : flows.ends[flow]]
        follow(Connection(), columns, rows, from_first, result)
    return result


def follow(
    connection: Connection,
    columns: PacketColumns,
    rows: I64,
    from_first: Mask,
    result: TcpAnalysis,
) -> None:
    """Write what the given packets of one pair of endpoints are, which follow those before."""
    steps = zip(rows.tolist(), segments(columns.take(rows), from_first.tolist()), strict=True)
    for row, segment in steps:
        finding = connection.step(segment)
        result.connection[row] = connection.number
        if finding.events:
            result.events[row] = finding.events
        if finding.rtt_ns is not None:
            result.rtt_ns[row] = finding.rtt_ns
            result.rtt_valid[row] = finding.rtt_valid


def segments(packets: PacketColumns, from_first: Sequence[bool]) -> list[Segment]:
    """Return the packets of one pair of endpoints one by one."""
    blocks: list[tuple[tuple[int, int], ...]] = [()] * len(packets)
    for row in np.flatnonzero(packets.tcp_sack.any(axis=1)).tolist():
        blocks[row] = _blocks(packets.tcp_sack[row].tolist())
    return list(
        map(
            Segment,
            from_first,
            packets.ts_ns.tolist(),
            packets.tcp_seq.tolist(),
            packets.tcp_ack.tolist(),
            packets.payload_bytes.tolist(),
            packets.tcp_flags.tolist(),
            packets.tcp_window.tolist(),
            blocks,
        )
    )


def _blocks(edges: Sequence[int]) -> tuple[tuple[int, int], ...]:
    pairs = list(zip(edges[::2], edges[1::2], strict=True))
    while pairs and pairs[-1] == (0, 0):
        pairs.pop()
    return tuple(pairs)
