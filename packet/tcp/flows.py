"""Pure: packets -> one row a connection: who opened it, how much it carried, the wire's figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from collector.core.times import NS_PER_MINUTE
from packet.decode.columns import (
    ACK,
    PROTOCOL_TCP,
    SYN,
    U16,
    Mask,
    PacketColumns,
    address_text,
)
from packet.tcp.analysis import analyse_packets
from packet.tcp.state_machine import RETRANSMISSION, ZERO_WINDOW

# A connection of which nothing was kept for so long goes on in a row of its own: a pooled one is
# sampled for an epoch and then, hours later, for another.
IDLE_NS = NS_PER_MINUTE


@dataclass(frozen=True, slots=True)
class Flow:
    """One kept stretch of one connection, as in the table `flows`."""

    flow_hash: int
    first_ns: int
    last_ns: int
    client_address: str
    client_port: int
    server_address: str
    server_port: int
    protocol: int
    packets: int
    wire_bytes: int
    handshake_rtt_ns: int | None  # SYN to the ACK that completes it; None where not all was kept
    retransmissions: int  # segments sent again, as `analysis` finds them; reordered ones apart
    zero_windows: int


def analyse(columns: PacketColumns, server_ports: frozenset[int] = frozenset()) -> list[Flow]:
    """Return the connections among the packets, by flow and time.

    `server_ports` are known to listen: they tell the ends of a connection apart whose handshake
    was not recorded, as a pooled one's.

    A new connection of the same two endpoints begins with a SYN of another sequence number, or
    after `IDLE_NS` without a packet.
    """
    if not len(columns):
        return []
    ordered = columns.take(np.lexsort((columns.ts_ns, columns.flow_hash)))
    starts = np.flatnonzero(_begins(ordered)).tolist()
    events = analyse_packets(ordered).events
    return [
        _flow(ordered.take(np.arange(start, end)), events[start:end], server_ports)
        for start, end in zip(starts, [*starts[1:], len(ordered)], strict=True)
    ]


def _begins(columns: PacketColumns) -> Mask:
    """Return which packets, sorted by flow and time, are the first of a connection."""
    begins = np.ones(len(columns), np.bool_)
    same_flow = columns.flow_hash[1:] == columns.flow_hash[:-1]
    waited = columns.ts_ns[1:] - columns.ts_ns[:-1] > np.uint64(IDLE_NS)
    begins[1:] = ~same_flow | (waited & same_flow)

    opening = np.flatnonzero((columns.tcp_flags & np.uint16(SYN | ACK)) == SYN)
    if len(opening):
        flow, seq = columns.flow_hash[opening], columns.tcp_seq[opening]
        # A SYN sent again carries the same number.
        again = np.zeros(len(opening), np.bool_)
        again[1:] = (flow[1:] == flow[:-1]) & (seq[1:] == seq[:-1])
        begins[opening[~again]] = True
    return begins


def _flow(packets: PacketColumns, events: U16, server_ports: frozenset[int]) -> Flow:
    client_sent = _client_sent(packets, server_ports)
    # The client's end is the source of what it sent, and the destination of what it received.
    sample = int(np.argmax(client_sent)) if client_sent.any() else 0
    ends = [
        (address_text(packets.src[sample].tolist()), int(packets.src_port[sample])),
        (address_text(packets.dst[sample].tolist()), int(packets.dst_port[sample])),
    ]
    client, server = ends if client_sent[sample] else ends[::-1]
    is_tcp = packets.protocol[0] == PROTOCOL_TCP
    return Flow(
        flow_hash=int(packets.flow_hash[0]),
        first_ns=int(packets.ts_ns[0]),
        last_ns=int(packets.ts_ns[-1]),
        client_address=client[0],
        client_port=client[1],
        server_address=server[0],
        server_port=server[1],
        protocol=int(packets.protocol[0]),
        packets=len(packets),
        wire_bytes=int(packets.wire_bytes.sum(dtype=np.uint64)),
        handshake_rtt_ns=_handshake_rtt_ns(packets, client_sent) if is_tcp else None,
        retransmissions=int(((events & RETRANSMISSION) != 0).sum()),
        zero_windows=int(((events & ZERO_WINDOW) != 0).sum()),
    )


def _client_sent(packets: PacketColumns, server_ports: frozenset[int]) -> Mask:
    """Return which packets the client sent: by whoever opened, a known listener, the lower port."""
    handshake = packets.tcp_flags & np.uint16(SYN | ACK)
    opened, answered = np.flatnonzero(handshake == SYN), np.flatnonzero(handshake == SYN | ACK)
    if len(opened):
        return _same_way(packets, opened[0])
    if len(answered):
        return ~_same_way(packets, answered[0])
    # Of two unknown ends the listener is the lower port: ephemeral ports are the high ones.
    source = (int(packets.src_port[0]), packets.src[0].tolist())
    destination = (int(packets.dst_port[0]), packets.dst[0].tolist())
    same_way = _same_way(packets, np.intp(0))
    source_listens = source[0] in server_ports
    if source_listens != (destination[0] in server_ports):
        return ~same_way if source_listens else same_way
    return same_way if source > destination else ~same_way


def _same_way(packets: PacketColumns, row: np.intp) -> Mask:
    """Return which packets have the source of the given one."""
    same_port = packets.src_port == packets.src_port[row]
    same_way: Mask = same_port & (packets.src == packets.src[row]).all(axis=1)
    return same_way


def _handshake_rtt_ns(packets: PacketColumns, client_sent: Mask) -> int | None:
    """Return SYN to ACK, which is one round trip wherever the capture stands between the two."""
    handshake = packets.tcp_flags & np.uint16(SYN | ACK)
    answered = np.flatnonzero((handshake == SYN | ACK) & ~client_sent)
    if not len(answered):
        return None
    # The last SYN before the answer: an earlier one was lost, and its wait is no round trip.
    opening = np.flatnonzero((handshake == SYN) & client_sent & _before(packets, answered[0]))
    closing = np.flatnonzero((handshake == ACK) & client_sent & ~_before(packets, answered[0]))
    if not len(opening) or not len(closing):
        return None
    waited_ns = int(packets.ts_ns[closing[0]]) - int(packets.ts_ns[opening[-1]])
    return waited_ns if waited_ns >= 0 else None  # the clock was set back meanwhile


def _before(packets: PacketColumns, row: np.intp) -> Mask:
    earlier: Mask = np.arange(len(packets)) < row
    return earlier
