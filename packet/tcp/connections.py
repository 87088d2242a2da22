"""Pure: analysed packets -> one object a connection, with the figures of each direction.

Each figure can be joined with that of a later block, so that a file of any size gives the same
flows as a small one.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from packet.decode.columns import (
    ACK,
    FIN,
    I64,
    PROTOCOL_TCP,
    RST,
    SYN,
    Mask,
    PacketColumns,
    address_text,
)
from packet.tcp import state_machine as exact
from packet.tcp.analysis import NO_RTT, TcpAnalysis
from packet.tcp.vectorized import order_by_flow

EVENTS: Final = {
    "retransmissions": exact.RETRANSMISSION,
    "fast_retransmissions": exact.FAST_RETRANSMISSION,
    "spurious_retransmissions": exact.SPURIOUS_RETRANSMISSION,
    "out_of_order": exact.OUT_OF_ORDER,
    "duplicate_acks": exact.DUPLICATE_ACK,
    "zero_windows": exact.ZERO_WINDOW,
    "keep_alives": exact.KEEP_ALIVE,
    "lost_segments": exact.LOST_SEGMENT,
}
# What senders begin with: Linux and macOS, Windows, network devices and Solaris.
_FIRST_TTLS: Final = (64, 128, 255)
_FAR: Final = np.iinfo(np.int64).max


@dataclass(slots=True)
class Direction:
    """What one end of a connection sent, and how long the other took to acknowledge it."""

    packets: int = 0
    wire_bytes: int = 0
    payload_bytes: int = 0
    flags: int = 0  # of TCP, of all its packets together
    events: list[int] = field(default_factory=lambda: [0] * len(EVENTS))  # in the order of EVENTS
    # Round trips from where the capture stands to the other end, of segments sent once.
    rtt_count: int = 0
    rtt_sum_ns: int = 0
    rtt_min_ns: int = 0
    rtt_max_ns: int = 0
    rtt_first_ns: int = 0
    rtt_last_ns: int = 0
    # Of the differences from one to the next, RFC 5481's IPDV on round trips.
    jitter_sum_ns: int = 0
    # Segments acknowledged before they were sent: the clock of the capture was set back.
    clock_steps: int = 0
    ttls: Counter[int] = field(default_factory=Counter)
    ttl_first: int = 0
    ttl_last: int = 0
    path_changes: int = 0  # packets whose TTL differs from that of the one before

    def join(self, later: Direction) -> None:
        """Add what the same end sent in a later block."""
        if later.packets:
            self.path_changes += later.path_changes
            self.path_changes += bool(self.packets and self.ttl_last != later.ttl_first)
            self.ttl_last = later.ttl_last
            self.ttls += later.ttls
            self.packets += later.packets
            self.wire_bytes += later.wire_bytes
            self.payload_bytes += later.payload_bytes
            self.flags |= later.flags
            self.events = [a + b for a, b in zip(self.events, later.events, strict=True)]
        self.clock_steps += later.clock_steps
        if later.rtt_count:
            if self.rtt_count:
                self.jitter_sum_ns += abs(later.rtt_first_ns - self.rtt_last_ns)
                self.rtt_min_ns = min(self.rtt_min_ns, later.rtt_min_ns)
                self.rtt_max_ns = max(self.rtt_max_ns, later.rtt_max_ns)
            else:
                self.rtt_min_ns, self.rtt_max_ns = later.rtt_min_ns, later.rtt_max_ns
                self.rtt_first_ns = later.rtt_first_ns
            self.rtt_last_ns = later.rtt_last_ns
            self.jitter_sum_ns += later.jitter_sum_ns
            self.rtt_count += later.rtt_count
            self.rtt_sum_ns += later.rtt_sum_ns

    def as_json(self) -> dict[str, Any]:
        """Return the figures; null is unknown."""
        count, ttl = (
            self.rtt_count,
            max(self.ttls, key=lambda hop_limit: self.ttls[hop_limit], default=None),
        )
        return {
            "packets": self.packets,
            "wire_bytes": self.wire_bytes,
            "payload_bytes": self.payload_bytes,
            **dict(zip(EVENTS, self.events, strict=True)),
            "rtt_count": count,
            "rtt_min_ns": self.rtt_min_ns if count else None,
            "rtt_mean_ns": self.rtt_sum_ns // count if count else None,
            "rtt_max_ns": self.rtt_max_ns if count else None,
            "clock_steps": self.clock_steps,
            "jitter_ns": self.jitter_sum_ns // (count - 1) if count > 1 else None,
            "ttl": ttl,
            "hops": None if ttl is None else hops(ttl),
            "path_changes": self.path_changes,
        }


def hops(ttl: int) -> int:
    """Return how many routers took one off, if the sender began with the next usual value."""
    return next(first for first in _FIRST_TTLS if first >= ttl) - ttl


@dataclass(slots=True)
class WireFlow:
    """One connection: TCP's from one SYN to the next, or all UDP between two endpoints."""

    flow_hash: int
    connection: int  # counts the TCP connections that used the same endpoints
    protocol: int
    first_ns: int
    last_ns: int
    client: tuple[str, int]
    server: tuple[str, int]
    handshake_rtt_ns: int | None  # SYN to the ACK that completes it
    from_client: Direction
    from_server: Direction

    @property
    def state(self) -> str | None:
        """Return the end of a TCP connection, as its flags say; None of any other."""
        if self.protocol != PROTOCOL_TCP:
            return None
        one, other = self.from_client.flags, self.from_server.flags
        if (one | other) & RST:
            return "reset"
        if one & FIN and other & FIN:
            return "closed"
        if (one | other) & FIN:
            return "half closed"
        return "unanswered" if one & SYN and not self.from_server.packets else "open"

    def join(self, later: WireFlow) -> None:
        """Add what came in a later block."""
        self.last_ns = max(self.last_ns, later.last_ns)
        is_same = self.client == later.client
        self.from_client.join(later.from_client if is_same else later.from_server)
        self.from_server.join(later.from_server if is_same else later.from_client)

    def as_json(self) -> dict[str, Any]:
        """Return one object, flat but for the two directions."""
        directions = (self.from_client, self.from_server)
        totals = [sum(counts) for counts in zip(*(each.events for each in directions), strict=True)]
        return {
            "flow_hash": self.flow_hash,
            "connection": self.connection,
            "state": self.state,
            "first_ns": self.first_ns,
            "last_ns": self.last_ns,
            "client_address": self.client[0],
            "client_port": self.client[1],
            "server_address": self.server[0],
            "server_port": self.server[1],
            "protocol": self.protocol,
            "packets": sum(each.packets for each in directions),
            "wire_bytes": sum(each.wire_bytes for each in directions),
            "handshake_rtt_ns": self.handshake_rtt_ns,
            **dict(zip(EVENTS, totals, strict=True)),
            "from_client": self.from_client.as_json(),
            "from_server": self.from_server.as_json(),
        }


@dataclass(frozen=True, slots=True, eq=False)
class _Lanes:
    """Packets sorted by connection and direction; a lane is one direction of one connection."""

    rows: I64
    starts: I64
    numbers: I64  # of each lane: twice the connection, plus one for the end that spoke second


def flows_of(columns: PacketColumns, analysis: TcpAnalysis) -> list[WireFlow]:
    """Return the connections among the packets of one block, by flow and time."""
    if not len(columns):
        return []
    flows = order_by_flow(columns, np.arange(len(columns)))
    rows = flows.rows
    number = analysis.connection[rows]
    begins = np.zeros(len(rows), np.bool_)
    begins[flows.starts] = True
    begins[1:] |= number[1:] != number[:-1]
    which = np.cumsum(begins) - 1
    starts = np.flatnonzero(begins)
    lane = which * 2 + ~flows.from_first
    directions = [Direction() for _ in range(2 * len(starts))]
    _count(columns, analysis, _lanes(rows, lane), directions)
    _time(analysis, _lanes(rows, lane ^ 1), directions)
    handshake_ns, opener = _handshakes(columns, rows, which, flows.from_first, len(starts))
    ts_ns = columns.ts_ns[rows]
    first_ns = np.minimum.reduceat(ts_ns, starts).tolist()
    last_ns = np.maximum.reduceat(ts_ns, starts).tolist()
    # `from_first` is about the end that sent the first packet of all between the two.
    firsts = rows[np.repeat(flows.starts, flows.ends - flows.starts)[starts]].tolist()
    wire_flows = []
    for each, (row, first) in enumerate(zip(rows[starts].tolist(), firsts, strict=True)):
        endpoint = _endpoint(columns, first, is_source=True)
        other = _endpoint(columns, first, is_source=False)
        # Of two unknown ends the listener is the lower port: ephemeral ports are the high ones.
        is_client = endpoint[::-1] > other[::-1] if opener[each] is None else opener[each]
        pair = (directions[2 * each], directions[2 * each + 1])
        wire_flows.append(
            WireFlow(
                flow_hash=int(columns.flow_hash[row]),
                connection=int(analysis.connection[row]),
                protocol=int(columns.protocol[row]),
                first_ns=first_ns[each],
                last_ns=last_ns[each],
                client=endpoint if is_client else other,
                server=other if is_client else endpoint,
                handshake_rtt_ns=handshake_ns[each],
                from_client=pair[0] if is_client else pair[1],
                from_server=pair[1] if is_client else pair[0],
            )
        )
    return wire_flows


def _lanes(rows: I64, lane: I64) -> _Lanes:
    order = np.argsort(lane, kind="stable")
    placed = lane[order]
    begins = np.ones(len(placed), np.bool_)
    begins[1:] = placed[1:] != placed[:-1]
    starts = np.flatnonzero(begins)
    return _Lanes(rows[order], starts, placed[starts])


def _count(
    columns: PacketColumns, analysis: TcpAnalysis, lanes: _Lanes, directions: list[Direction]
) -> None:
    rows, starts = lanes.rows, lanes.starts
    ends = np.append(starts[1:], len(rows))
    wire = np.add.reduceat(columns.wire_bytes[rows].astype(np.int64), starts).tolist()
    payload = np.add.reduceat(columns.payload_bytes[rows].astype(np.int64), starts).tolist()
    flags = np.bitwise_or.reduceat(columns.tcp_flags[rows], starts).tolist()
    events = [
        np.add.reduceat(((analysis.events[rows] & bit) != 0).astype(np.int64), starts).tolist()
        for bit in EVENTS.values()
    ]
    ttl = columns.ttl[rows]
    changed = np.zeros(len(rows), np.int64)
    changed[1:] = ttl[1:] != ttl[:-1]
    changed[starts] = 0
    changes = np.add.reduceat(changed, starts).tolist()
    spans = zip(starts.tolist(), ends.tolist(), lanes.numbers.tolist(), strict=True)
    for place, (start, end, number) in enumerate(spans):
        direction = directions[number]
        direction.packets, direction.wire_bytes, direction.payload_bytes = (
            end - start,
            wire[place],
            payload[place],
        )
        direction.events, direction.flags = [each[place] for each in events], flags[place]
        direction.path_changes = changes[place]
        direction.ttl_first, direction.ttl_last = int(ttl[start]), int(ttl[end - 1])
        direction.ttls = Counter(
            ttl[start:end].tolist() if changes[place] else {direction.ttl_first: end - start}
        )


def _time(analysis: TcpAnalysis, lanes: _Lanes, directions: list[Direction]) -> None:
    """Write the round trips; `lanes` have each ACK in the lane of what it acknowledges."""
    lane = np.repeat(lanes.numbers, np.diff(np.append(lanes.starts, len(lanes.rows))))
    waited_ns = analysis.rtt_ns[lanes.rows]
    for number, steps in enumerate(np.bincount(lane[(waited_ns < 0) & (waited_ns != NO_RTT)])):
        directions[number].clock_steps = int(steps)
    timed = analysis.rtt_valid[lanes.rows] & (waited_ns != NO_RTT)
    rtt_ns, lane = analysis.rtt_ns[lanes.rows][timed], lane[timed]
    if not len(rtt_ns):
        return
    begins = np.ones(len(lane), np.bool_)
    begins[1:] = lane[1:] != lane[:-1]
    starts = np.flatnonzero(begins)
    apart = np.zeros(len(lane), np.int64)
    apart[1:] = np.abs(np.diff(rtt_ns))
    apart[starts] = 0
    ends = np.append(starts[1:], len(lane))
    figures = zip(
        lane[starts].tolist(),
        (ends - starts).tolist(),
        np.add.reduceat(rtt_ns, starts).tolist(),
        np.minimum.reduceat(rtt_ns, starts).tolist(),
        np.maximum.reduceat(rtt_ns, starts).tolist(),
        rtt_ns[starts].tolist(),
        rtt_ns[ends - 1].tolist(),
        np.add.reduceat(apart, starts).tolist(),
        strict=True,
    )
    for number, *values in figures:
        direction = directions[number]
        direction.rtt_count, direction.rtt_sum_ns, direction.rtt_min_ns, direction.rtt_max_ns = (
            values[:4]
        )
        direction.rtt_first_ns, direction.rtt_last_ns, direction.jitter_sum_ns = values[4:]


def _handshakes(
    columns: PacketColumns, rows: I64, which: I64, from_first: Mask, count: int
) -> tuple[list[int | None], list[bool | None]]:
    """Return SYN to ACK of each connection, and whether the end that spoke first opened it.

    The last SYN before the answer counts: an earlier one was lost, and its wait is no round trip.
    """
    kind = columns.tcp_flags[rows] & np.uint16(SYN | ACK)
    kind[columns.protocol[rows] != PROTOCOL_TCP] = 0
    place, ts_ns = np.arange(len(rows)), columns.ts_ns[rows]
    asks, answers = np.flatnonzero(kind == SYN), np.flatnonzero(kind == SYN | ACK)
    answered = _first(which[answers], answers, count)
    opened = _first(which[asks], asks, count)
    asks = asks[asks < answered[which[asks]]]
    opened_at = np.full(count, -1)
    np.maximum.at(opened_at, which[asks], asks)
    closing = np.flatnonzero((kind == ACK) & (place > answered[which]))
    closing = closing[from_first[closing] != from_first[answered[which[closing]]]]
    completed = _first(which[closing], closing, count)
    whole = (opened_at >= 0) & (completed < _FAR)
    handshake_ns: list[int | None] = [None] * count
    for each in np.flatnonzero(whole).tolist():
        waited_ns = int(ts_ns[completed[each]]) - int(ts_ns[opened_at[each]])
        handshake_ns[each] = waited_ns if waited_ns >= 0 else None
    opener: list[bool | None] = [None] * count
    for each in np.flatnonzero((opened < _FAR) | (answered < _FAR)).tolist():
        by_syn = opened[each] < _FAR
        answered_by = opened[each] if by_syn else answered[each]
        opener[each] = bool(from_first[answered_by]) == by_syn
    return handshake_ns, opener


def _first(which: I64, places: I64, count: int) -> I64:
    i64 = np.full(count, _FAR)
    np.minimum.at(i64, which, places)
    return i64


def _endpoint(columns: PacketColumns, row: int, *, is_source: bool) -> tuple[str, int]:
    words, ports = (columns.src, columns.src_port) if is_source else (columns.dst, columns.dst_port)
    return address_text(words[row].tolist()), int(ports[row])
