"""Pure: figures of every second of the wire, from all packets, before any of them is let go.

The numbers of an incident outlive its packets: bytes and packets, the fullest bins, the reckoned
queue, retransmissions and closed windows. They are early warnings for triggers; figures of record
come from the analysis of the packets that are kept.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np

from collector.core.times import NS_PER_S
from packet.decode.columns import (
    FIN,
    I64,
    PROTOCOL_TCP,
    RST,
    SYN,
    U32,
    U64,
    Mask,
    PacketColumns,
    concat_columns,
    port_pairs,
)
from packet.tcp.microburst import (
    BIN_NS,
    FINE_BIN_NS,
    Arrivals,
    Burst,
    binned,
    bursts,
    queue_bytes,
)

# A second is closed so long after its end: a block holds packets for 50 ms, a busy machine longer.
_CLOSE_AFTER_NS = NS_PER_S // 4
_USUAL_SECONDS = 10
_KEPT_SECONDS = 300  # of figures, for a reader that comes late
_BURSTS_MAX = 64  # of a second; the rest are counted
_DIRECTIONS_MAX = 131_072
_PAIRS_NAMED_MAX = 8
_AHEAD_MAX = 2**28  # further from what was sent last is another connection


@dataclass(frozen=True, slots=True)
class WireSecond:
    """What one second carried, all packets counted."""

    second_ns: int
    packets: int
    wire_bytes: int
    flows: int
    peak_1ms_bytes: int
    peak_500us_bytes: int
    queue_bytes: int | None  # reckoned, at its fullest; None without a link rate
    queue_ns: int | None
    retransmissions: int
    zero_windows: int
    retransmitting: tuple[int, ...]  # port pairs that sent again most often, the first first
    bursts: tuple[Burst, ...]
    bursts_refused: int


def wire_second(row: dict[str, Any]) -> WireSecond:
    """Return a second from its fields, as `dataclasses.asdict` and JSON leave them."""
    return WireSecond(
        **{
            **row,
            "retransmitting": tuple(row["retransmitting"]),
            "bursts": tuple(
                Burst(**{**burst, "port_pairs": tuple(burst["port_pairs"])})
                for burst in row["bursts"]
            ),
        }
    )


class WireWatch:
    """Collects packets and closes one second after the other."""

    def __init__(self, link_mbit: float) -> None:
        self._bytes_per_s = link_mbit * 1e6 / 8
        self._open: list[PacketColumns] = []
        self._closed_to_ns = 0
        self._seconds: deque[WireSecond] = deque(maxlen=_KEPT_SECONDS)
        self._usual: deque[I64] = deque(maxlen=_USUAL_SECONDS)
        self._queue = 0.0
        self._queue_at_ns = 0
        self._sent = _Sent()
        self.late = 0  # packets that came when their second was closed

    def add(self, packets: PacketColumns, now_ns: int) -> None:
        """Take packets in; close what is over at `now_ns`."""
        if self._closed_to_ns > now_ns + NS_PER_S:
            # The clock was set back: until it has caught up, no second would be closed.
            self.late += sum(map(len, self._open))
            self._open.clear()
            self._seconds.clear()
            self._queue_at_ns = self._closed_to_ns = now_ns // NS_PER_S * NS_PER_S
        if len(packets):
            self._open.append(packets)
        if not self._closed_to_ns:
            if not len(packets):
                return
            self._closed_to_ns = int(packets.ts_ns.min()) // NS_PER_S * NS_PER_S
        if now_ns - _CLOSE_AFTER_NS >= self._closed_to_ns + NS_PER_S:
            self._close(now_ns)

    def seconds(self, after_ns: int) -> list[WireSecond]:
        """Return the closed seconds that begin after an instant, by time; five minutes at most."""
        return [second for second in self._seconds if second.second_ns > after_ns]

    def _close(self, now_ns: int) -> None:
        parts, self._open = self._open, []
        waiting = concat_columns(parts)
        while now_ns - _CLOSE_AFTER_NS >= self._closed_to_ns + NS_PER_S:
            if not len(waiting):
                # Time without packets is closed at a stroke, not second by second.
                ahead = (now_ns - _CLOSE_AFTER_NS) // NS_PER_S * NS_PER_S
                self._closed_to_ns = max(self._closed_to_ns, ahead)
                return
            begin_ns, end_ns = self._closed_to_ns, self._closed_to_ns + NS_PER_S
            self.late += int((waiting.ts_ns < begin_ns).sum())
            inside = (waiting.ts_ns >= begin_ns) & (waiting.ts_ns < end_ns)
            if inside.any():
                self._seconds.append(self._second(waiting.take(inside), begin_ns))
            waiting = waiting.take(waiting.ts_ns >= end_ns)
            self._closed_to_ns = end_ns
        if len(waiting):
            self._open = [waiting]

    def _second(self, packets: PacketColumns, begin_ns: int) -> WireSecond:
        packets = packets.in_order()
        pairs = port_pairs(packets.src_port, packets.dst_port)
        arrivals = Arrivals(
            packets.ts_ns.astype(np.int64),
            packets.wire_bytes.astype(np.int64),
            packets.flow_hash,
            pairs,
        )
        end_ns = begin_ns + NS_PER_S
        fine = binned(arrivals.ts_ns, arrivals.wire_bytes, begin_ns, end_ns, FINE_BIN_NS)
        coarse = fine.reshape(-1, BIN_NS // FINE_BIN_NS).sum(axis=1)
        burst_list, fullest = self._queued(arrivals, begin_ns)
        self._usual.append(fine)
        again = self._sent.again(packets)
        settled = (packets.tcp_flags & np.uint16(SYN | FIN | RST)) == 0
        closed = (packets.tcp_window == 0) & settled & (packets.protocol == PROTOCOL_TCP)
        return WireSecond(
            second_ns=begin_ns,
            packets=len(packets),
            wire_bytes=int(arrivals.wire_bytes.sum()),
            flows=len(np.unique(packets.flow_hash)),
            peak_1ms_bytes=int(coarse.max()),
            peak_500us_bytes=int(fine.max()),
            queue_bytes=None if fullest is None else round(fullest),
            queue_ns=None if fullest is None else round(fullest / self._bytes_per_s * NS_PER_S),
            retransmissions=int(again.sum()),
            zero_windows=int(closed.sum()),
            retransmitting=_most_frequent(pairs[again]),
            bursts=tuple(burst_list[:_BURSTS_MAX]),
            bursts_refused=len(burst_list[_BURSTS_MAX:]),
        )

    def _queued(self, arrivals: Arrivals, begin_ns: int) -> tuple[list[Burst], float | None]:
        """Return the bursts of a second, and its queue at the fullest."""
        if not self._bytes_per_s:
            return [], None
        waited = int(arrivals.ts_ns[0]) - self._queue_at_ns
        before = max(self._queue - self._bytes_per_s * waited / NS_PER_S, 0.0)
        queue = queue_bytes(arrivals.ts_ns, arrivals.wire_bytes, self._bytes_per_s, before)
        self._queue, self._queue_at_ns = float(queue[-1]), int(arrivals.ts_ns[-1])
        usual = np.concatenate(list(self._usual)) if self._usual else np.zeros(0, np.int64)
        end_ns = begin_ns + NS_PER_S
        burst_list = bursts(arrivals, queue, begin_ns, end_ns, usual, self._bytes_per_s)
        return burst_list, float(queue.max())


class _Sent:
    """How far each direction of each connection has sent, from one second to the next."""

    def __init__(self) -> None:
        self._keys: U64 = np.zeros(0, np.uint64)
        self._ends: U64 = np.zeros(0, np.uint64)  # sequence number behind the last byte

    def again(self, packets: PacketColumns) -> Mask:
        """Return which packets, in order of time, begin before what their side had sent."""
        result = np.zeros(len(packets), np.bool_)
        control = (packets.tcp_flags & np.uint16(SYN | FIN)) != 0
        length = packets.payload_bytes.astype(np.int64) + control
        rows = np.flatnonzero((packets.protocol == PROTOCOL_TCP) & (length > 0))
        if not len(rows):
            return result
        source = (packets.src_port > packets.dst_port).astype(np.uint64)
        is_loop = packets.src_port == packets.dst_port
        source[is_loop] = (packets.src[is_loop, 3] > packets.dst[is_loop, 3]).astype(np.uint64)
        keys = (packets.flow_hash[rows] & ~np.uint64(1)) | source[rows]
        order = np.argsort(keys, kind="stable")
        rows, keys = rows[order], keys[order]
        starts = _begins(packets, rows, keys)
        group = np.cumsum(starts) - 1
        seq, flow_keys = packets.tcp_seq[rows].astype(np.int64), keys[starts]
        opened = (packets.tcp_flags[rows[starts]] & np.uint16(SYN)) != 0
        is_known, base = self._bases(flow_keys, seq[starts], opened)
        begin = (seq - base[group]).astype(np.uint32).view(np.int32).astype(np.int64)
        # Too far off: another connection on the same ports, whose SYN was not recorded.
        strange = (
            np.bincount(group, weights=np.abs(begin) > _AHEAD_MAX, minlength=len(flow_keys)) > 0
        )
        end = begin + length[rows]
        # A maximum that runs within each group: 2^33 apart, none reaches into the next.
        shift = group.astype(np.int64) << 33
        top = np.maximum.accumulate(end + shift) - shift
        before = np.r_[0, top[:-1]]
        before[starts] = begin[starts]
        before[is_known[group]] = np.maximum(before[is_known[group]], 0)
        keep_alive = (length[rows] <= 1) & (begin == before - 1) & ~control[rows]
        result[rows] = (begin < before) & ~keep_alive & ~strange[group]
        last = np.r_[np.flatnonzero(starts)[1:], len(rows)] - 1
        reached = np.where(is_known & ~strange, np.maximum(top[last], 0), top[last])
        reached[strange] = end[last][strange]
        newest = np.r_[flow_keys[1:] != flow_keys[:-1], True]
        self._note(flow_keys[newest], ((base + reached) & 0xFFFFFFFF)[newest])
        return result

    def _bases(self, keys: U64, first: I64, opened: Mask) -> tuple[Mask, I64]:
        place = np.minimum(np.searchsorted(self._keys, keys), max(len(self._keys) - 1, 0))
        is_known = self._keys[place] == keys if len(self._keys) else np.zeros(len(keys), np.bool_)
        is_known = is_known & ~opened
        base = first.copy()
        base[is_known] = self._ends[place[is_known]].astype(np.int64)
        return is_known, base

    def _note(self, keys: U64, ends: I64) -> None:
        others = ~np.isin(self._keys, keys)
        # Too many to know: those of this second are the ones that will be asked for.
        if int(others.sum()) + len(keys) > _DIRECTIONS_MAX:
            others[:] = False
        all_keys = np.concatenate([self._keys[others], keys])
        all_ends = np.concatenate([self._ends[others], ends.astype(np.uint64)])
        order = np.argsort(all_keys)
        self._keys, self._ends = all_keys[order], all_ends[order]


def _begins(packets: PacketColumns, rows: I64, keys: U64) -> Mask:
    """Return where a direction begins, or begins anew: a SYN that is no repeat of the last."""
    begins = np.ones(len(rows), np.bool_)
    opens = (packets.tcp_flags[rows] & np.uint16(SYN)) != 0
    repeats = opens[1:] & opens[:-1] & (packets.tcp_seq[rows][1:] == packets.tcp_seq[rows][:-1])
    begins[1:] = (keys[1:] != keys[:-1]) | (opens[1:] & ~repeats)
    return begins


def _most_frequent(pairs: U32) -> tuple[int, ...]:
    names, counts = np.unique(pairs, return_counts=True)
    return tuple(names[np.argsort(-counts, kind="stable")[:_PAIRS_NAMED_MAX]].tolist())
