"""Pure: the connections in which nothing happens, all at once, and the round trips in them.

A connection is clean if each end sends its bytes in order without a gap, no ACK goes back, repeats
itself or runs ahead, no window closes and no SACK block is sent. Then the rules of `analysis_exact`
find no event, and an ACK that moves forward answers the one segment that it ends in or lies in.
What is judged here is judged by pairs of packets, never along a connection: that is what makes it
fast, and everything doubtful is left to the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from packet.decode.columns import ACK, FIN, I64, RST, SYN, U16, U32, U64, Mask, PacketColumns
from packet.tcp.state_machine import UNACKED_MAX

_SFR = SYN | FIN | RST
_HALF = np.uint32(0x80000000)
_LAST = np.uint32(0xFFFFFFFF)  # before the number that stands for unknown


@dataclass(frozen=True, slots=True, eq=False)
class Flows:
    """Packets by the pair of endpoints they are between; those of one in the order captured."""

    rows: I64  # of the columns
    starts: I64  # where in `rows` each flow begins
    ends: I64
    from_first: Mask  # of each of `rows`: sent by the end that sent the flow's first packet


@dataclass(frozen=True, slots=True, eq=False)
class _Packets:
    """The packets in the order of `Flows.rows`, and which came before each; -1 where none did."""

    flow: I64
    ts_ns: U64
    seq: U32
    ack: U32
    next: U32  # one past the last number that the packet takes
    length: U32
    flags: U16
    window: U32
    mine: I64  # the last packet of the same end
    theirs: I64  # of the other end
    is_last: Mask  # of its flow


def order_by_flow(columns: PacketColumns, rows: I64) -> Flows:
    """Return the given packets by flow."""
    hashes = columns.flow_hash[rows]
    order = _by_hash(hashes)
    rows, hashes = rows[order], hashes[order]
    begins = np.ones(len(rows), np.bool_)
    begins[1:] = hashes[1:] != hashes[:-1]
    starts = np.flatnonzero(begins)
    ends = np.append(starts[1:], len(rows)).astype(np.int64)[: len(starts)]
    first = np.repeat(rows[starts], ends - starts)
    from_first = columns.src_port[rows] == columns.src_port[first]
    for word in range(4):
        from_first &= columns.src[rows, word] == columns.src[first, word]
    return Flows(rows, starts, ends, from_first)


def _by_hash(hashes: U64) -> I64:
    """Return an order in which equal hashes are together, and each keeps its own order.

    NumPy sorts 16 bits by counting, five times as fast as 64 by comparing. Two such passes put
    equal hashes together unless two that differ share 32 bits, and then the slow way is taken.
    """
    order = np.argsort(hashes.astype(np.uint16), kind="stable")
    high = (hashes >> np.uint64(16)).astype(np.uint16)[order]
    order = order[np.argsort(high, kind="stable")]
    placed = hashes[order]
    begins = np.flatnonzero(placed[1:] != placed[:-1]) + 1
    firsts = placed[np.concatenate([[0], begins])] if len(placed) else placed
    low = firsts.astype(np.uint32)
    if len(low) and (low[1:] == low[:-1]).any():
        order = np.argsort(hashes, kind="stable")
    return order


def find_clean(columns: PacketColumns, flows: Flows, rtt_ns: I64, rtt_valid: Mask) -> I64:
    """Write the round trips of clean flows; return the flows that are not clean."""
    if not len(flows.rows):
        return np.zeros(0, np.int64)
    packets = _packets(columns, flows)
    bad = _unclean(packets)
    bad |= columns.tcp_sack[flows.rows, 0] != columns.tcp_sack[flows.rows, 1]
    is_bad = np.zeros(len(flows.starts), np.bool_)
    is_bad[packets.flow[bad]] = True
    acking, answered = _answered(packets, flows, ~is_bad[packets.flow])
    is_bad[_overflowing(packets, flows, acking, answered)] = True
    is_clean = ~is_bad[packets.flow[acking]]
    acking, answered = acking[is_clean], answered[is_clean]
    waited = (packets.ts_ns[acking] - packets.ts_ns[answered]).view(np.int64)
    # A round trip of nothing is a capture without a clock, and no measurement.
    is_real = waited != 0
    rows = flows.rows[acking[is_real]]
    rtt_ns[rows] = waited[is_real]
    rtt_valid[rows] = rtt_ns[rows] > 0
    return np.flatnonzero(is_bad)


def _packets(columns: PacketColumns, flows: Flows) -> _Packets:
    rows, count = flows.rows, len(flows.rows)
    flow = np.repeat(np.arange(len(flows.starts)), flows.ends - flows.starts)
    place = np.arange(count)
    begin = flows.starts[flow]
    before = np.where(place > begin, place - 1, -1)
    firsts = np.maximum.accumulate(np.where(flows.from_first, place, -1))
    others = np.maximum.accumulate(np.where(flows.from_first, -1, place))
    seen_first = np.where(before >= 0, firsts[before], -1)
    seen_other = np.where(before >= 0, others[before], -1)
    seen_first[seen_first < begin] = -1
    seen_other[seen_other < begin] = -1
    flags, length = columns.tcp_flags[rows], columns.payload_bytes[rows]
    seq = columns.tcp_seq[rows]
    is_last = np.zeros(count, np.bool_)
    is_last[flows.ends - 1] = True
    return _Packets(
        flow=flow,
        ts_ns=columns.ts_ns[rows],
        seq=seq,
        ack=columns.tcp_ack[rows],
        next=seq + length + ((flags & (SYN | FIN)) != 0),
        length=length,
        flags=flags,
        window=columns.tcp_window[rows],
        mine=np.where(flows.from_first, seen_first, seen_other),
        theirs=np.where(flows.from_first, seen_other, seen_first),
        is_last=is_last,
    )


def _unclean(packets: _Packets) -> Mask:
    """Return which packets make their flow unclean."""
    p = packets
    has_mine, has_theirs = p.mine >= 0, p.theirs >= 0
    kind = p.flags & (SYN | ACK)
    is_plain = (p.flags & _SFR) == 0
    is_end = p.is_last & ((p.flags & _SFR) == RST) & (p.length == 0)
    opened = has_mine & ((p.flags[p.mine] & (SYN | ACK)) != SYN)  # the last one of mine had an ACK

    heard = has_theirs & ((p.flags[p.theirs] & ACK) != 0)
    bad: Mask = has_mine & (p.seq != p.next[p.mine]) & ~is_end
    moved = (p.ack - p.ack[p.mine]).view(np.int32)
    has_ack = (p.flags & ACK) != 0
    bad |= opened & has_ack & (moved < 0)
    # From one number up to half of all ahead.
    bad |= has_theirs & has_ack & (p.next[p.theirs] - p.ack >= _HALF)
    # The first of one end lies before what the other has acknowledged, or ends half of all away.
    bad |= ~has_mine & heard & ((p.seq - p.ack[p.theirs]).view(np.int32) < 0)
    bad |= heard & ((p.next - p.ack[p.theirs]).view(np.int32) < 0)
    bad |= has_mine & (moved == 0) & is_plain & (p.length == 0) & (p.window == p.window[p.mine])
    bad |= (p.window == 0) & ~is_end
    bad |= ~has_ack & ~is_end & ~((kind == SYN) & ~has_mine & ~has_theirs & (p.ack == 0))
    bad |= ((p.flags & SYN) != 0) & (has_mine | heard | (p.length > 0))
    # Zero stands for unknown in the rules; and number space that wraps is theirs to judge.
    bad |= (p.next < p.seq) | (p.next == 0) | (has_ack & (p.ack == 0)) | (p.seq == _LAST)
    return bad


def _overflowing(packets: _Packets, flows: Flows, acking: I64, answered: I64) -> I64:
    """Return clean flows in which more segments may wait for an ACK than the rules hold."""
    overflowing = []
    for flow in np.flatnonzero(flows.ends - flows.starts > UNACKED_MAX).tolist():
        start, end = int(flows.starts[flow]), int(flows.ends[flow])
        sends = (packets.next[start:end] != packets.seq[start:end]).astype(np.int64)
        first = slice(*np.searchsorted(acking, [start, end]))
        for from_first in (True, False):
            sent = np.cumsum(np.where(flows.from_first[start:end] == from_first, sends, 0))
            chosen = flows.from_first[answered[first]] == from_first
            is_done = np.zeros(end - start, np.int64)
            is_done[acking[first][chosen] - start] = sent[answered[first][chosen] - start]
            if (sent - np.maximum.accumulate(is_done)).max() >= UNACKED_MAX:
                overflowing.append(flow)
    return np.array(overflowing, np.int64)


def _answered(packets: _Packets, flows: Flows, clean: Mask) -> tuple[I64, I64]:
    """Return packets of clean flows that acknowledge something, and the segment each answers."""
    p = packets
    # A reset's number counts even without the flag: so Wireshark has it.
    is_first = (p.mine < 0) | ((p.flags[p.mine] & ACK) == 0)
    moves = clean & (p.theirs >= 0)
    moves &= is_first | ((p.ack - p.ack[p.mine]).view(np.int32) > 0)
    acking = np.flatnonzero(moves)
    if not len(acking):
        return acking, acking
    sends = np.flatnonzero(clean & (p.next != p.seq))
    # One lane a flow and direction, in which the numbers only rise.
    lane = p.flow * 2 + ~flows.from_first
    sends = sends[np.argsort(_compact(lane[sends]), kind="stable")]
    key = _key(lane[sends], p.next[sends])
    wanted_lane = lane[acking] ^ 1
    place = np.searchsorted(key, _key(wanted_lane, p.ack[acking]))
    is_found = place < len(key)
    acking, place, wanted_lane = acking[is_found], place[is_found], wanted_lane[is_found]
    segment = sends[place]
    covers = (lane[segment] == wanted_lane) & (segment < acking)
    covers &= p.ack[acking] > p.seq[segment]
    return acking[covers], segment[covers]


def _compact(lane: I64) -> I64 | U16:
    """Return 16 bits where they are enough, which NumPy sorts by counting."""
    return lane.astype(np.uint16) if len(lane) and int(lane.max()) < 2**16 else lane


def _key(lane: I64, number: U32) -> U64:
    keys: U64 = lane.astype(np.uint64) << np.uint64(32) | number.astype(np.uint64)
    return keys
