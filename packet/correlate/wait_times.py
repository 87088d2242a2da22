"""Pure: what a span waited for, as its packets show it: stretches that tile the span.

A caller's span begins before its first packet and ends after its last: in the host. Between lie
the handshake, where the connection was opened for it; the request on its way out; the answer that
is waited for; and the response coming in. A response may come in several writes, as behind the
session tickets of TLS 1.3 or an interim answer: what lies between two of them was waited for too.
Over all of these lies what went wrong: a segment that had to be sent again, a receiver that had no
room.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from collector.core.times import NS_PER_MS
from packet.correlate.claims import AMBIGUOUS_CONFIDENCE, SpanEndpoints
from packet.correlate.messages import message_kinds
from packet.correlate.spans import SpanFlow
from packet.correlate.trace_context import Context
from packet.decode.columns import ACK, FIN, I64, PSH, RST, SYN, Mask, PacketColumns, rows_by_key

_REORDERED_NS = 3 * NS_PER_MS  # as Wireshark has it, where no round trip was seen
_HOLES_MAX = 64
_SMALL_BYTES = 1_000  # less than a segment has that is filled up


class Stretch(StrEnum):
    """What a stretch of a span was."""

    HOST = "host"  # no packet of it was on its way: the caller's own machine
    HANDSHAKE = "handshake"
    SEND = "send"  # the request, from its first segment to its last
    ANSWER = "answer"  # from the last of the request, or what was written, to what is written next
    RECEIVE = "receive"  # the response, from its first segment to its last
    RETRANSMISSION = "retransmission"  # from a segment to the same one sent again
    ZERO_WINDOW = "zero_window"  # from a receiver without room to one with


Piece = tuple[Stretch, int, int]  # what, from_ns, to_ns


@dataclass(frozen=True, slots=True)
class WireTime:
    """One span of a caller, as in the table `wire_times`."""

    trace_id: str
    span_id: str
    decision_id: str
    start_ns: int  # of the span; its pieces tile it
    end_ns: int
    exchanges: int
    rtt_ns: int | None  # the least round trip that the connection showed
    pieces: list[Piece]
    outside_ns: int  # how far its packets lie outside of it; 0 where they agree
    confidence: float  # of the link


def wire_times(
    spans: Iterable[SpanEndpoints],
    links: Sequence[SpanFlow],
    columns: PacketColumns,
    contexts: Iterable[Context] = (),
) -> list[WireTime]:
    """Return what the callers' spans waited for; a link that is one of a set proves nothing.

    Args:
        spans: as they were linked.
        links: what `link` returned of them.
        columns: the same packets, and those of the handshakes.
        contexts: what was found in them, as for `link`.
    """
    callers = {(span.trace_id, span.span_id): span for span in spans if not span.is_server}
    sure = defaultdict(list)
    for row in links:
        if (row.trace_id, row.span_id) in callers and row.confidence > AMBIGUOUS_CONFIDENCE:
            sure[row.flow_hash].append(row)
    ordered = columns.in_order()
    is_message, is_reset = message_kinds(ordered, contexts)
    wire_times = []
    for rows in rows_by_key(ordered.flow_hash):
        flow_times = sure.get(int(ordered.flow_hash[rows[0]]))
        if flow_times:
            packets, span = (
                ordered.take(rows),
                callers[flow_times[0].trace_id, flow_times[0].span_id],
            )
            client_port = _client_port(packets, span, flow_times[0])
            flow = _Flow(packets, client_port, is_message[rows], is_reset[rows])
            wire_times += [
                _wire_time(callers[row.trace_id, row.span_id], row, flow) for row in flow_times
            ]
    return wire_times


def _client_port(packets: PacketColumns, span: SpanEndpoints, row: SpanFlow) -> int:
    """Return the port of who asks, as the span names it or, where it names none, as its request."""
    if span.client_port and span.client_port in (
        int(packets.src_port[0]),
        int(packets.dst_port[0]),
    ):
        return span.client_port
    request = np.argmax((packets.ts_ns == np.uint64(row.from_ns)) & (packets.payload_bytes > 0))
    return int(packets.src_port[request])


class _Flow:
    """The packets of one connection in time, and what is the same for all of its spans."""

    def __init__(
        self, packets: PacketColumns, client_port: int, is_message: Mask, is_reset: Mask
    ) -> None:
        self.ts_ns = packets.ts_ns.astype(np.int64)
        self.asked = packets.src_port == client_port
        self.messages = np.flatnonzero(is_message)
        # Who gives up waits no longer, and asks for nothing.
        self.requests = (self.asked & ~is_reset)[self.messages]
        self.payload = packets.payload_bytes.astype(np.int64)
        self.seq, self.ack = packets.tcp_seq, packets.tcp_ack
        self.flags = packets.tcp_flags
        handshake = self.flags & np.uint16(SYN | ACK)
        self.syn = np.flatnonzero((handshake == SYN) & self.asked)
        self.syn_ack = np.flatnonzero((handshake == SYN | ACK) & ~self.asked)
        self.troubles = [
            *_retransmissions(packets, self.asked),
            *_retransmissions(packets, ~self.asked),
            *_zero_windows(packets, self.asked),
            *_zero_windows(packets, ~self.asked),
        ]
        self.rtt_ns = self._rtt_ns(packets)
        self.pauses = self._written_out(packets)[self.messages]
        for way in (self.asked, ~self.asked):
            self.troubles += _filled_holes(packets, way, self.rtt_ns)

    def _written_out(self, packets: PacketColumns) -> Mask:
        """Return which segments of the server end a write: it had nothing more to send then.

        They were pushed, and are smaller than a filled one; what is filled may be one of many on
        their way, however slowly these come.
        """
        sizes = self.payload[~self.asked]
        filled = max(int(sizes.max(initial=0)), _SMALL_BYTES)
        is_pushed = (packets.tcp_flags & np.uint16(PSH)) != 0
        ends: Mask = ~self.asked & is_pushed & (self.payload > 0) & (self.payload < filled)
        return ends

    @property
    def pause_ns(self) -> int:
        """Return what lies between two writes at least; less may be the network's."""
        return _REORDERED_NS if self.rtt_ns is None else max(2 * self.rtt_ns, NS_PER_MS)

    def is_answered_by(self, at: int) -> bool:
        """Return whether a message answers the request that is the one before it.

        One that acknowledges more than what the client is known to have sent answers a request that
        was not kept.
        """
        if not 0 < at < len(self.messages) or self.requests[at] or not self.requests[at - 1]:
            return False
        answer = int(self.messages[at])
        sent = np.flatnonzero(self.asked[:answer] & (self.payload[:answer] > 0))[-1]
        ahead = int(self.ack[answer]) - int(self.seq[sent]) - int(self.payload[sent])
        return (ahead + 2**31) % 2**32 <= 2**31

    def _rtt_ns(self, packets: PacketColumns) -> int | None:
        """Return the least time from a segment of the client to its acknowledgement."""
        again = {from_ns for what, from_ns, _ in self.troubles if what is Stretch.RETRANSMISSION}
        samples = []
        if len(self.syn) and len(self.syn_ack):
            wait_ns = int(self.ts_ns[self.syn_ack[0]] - self.ts_ns[self.syn[-1]])
            samples += [wait_ns] if wait_ns >= 0 else []
        acks = np.flatnonzero(~self.asked & ((self.flags & np.uint16(ACK)) != 0))
        sent = np.flatnonzero(self.asked & (self.payload > 0))
        for row in sent.tolist():
            later = acks[acks > row]
            # An acknowledgement of a segment that was sent twice is of nobody knows which (Karn).
            if not len(later) or int(self.ts_ns[row]) in again:
                continue
            end = int(packets.tcp_seq[row]) + int(self.payload[row])
            behind = (packets.tcp_ack[later].astype(np.int64) - end) % 2**32 < 2**31
            if behind.any():
                samples.append(int(self.ts_ns[later[np.argmax(behind)]] - self.ts_ns[row]))
        return min(samples, default=None)


def _wire_time(span: SpanEndpoints, row: SpanFlow, flow: _Flow) -> WireTime:
    ts_ns = flow.ts_ns[flow.messages]
    begin, end = np.searchsorted(ts_ns, [row.from_ns, row.to_ns + 1]).tolist()
    # An answer that came too late for the span was waited for until it was over.
    if flow.is_answered_by(end):
        end += 1
    phases, exchanges = _phases(
        ts_ns[begin:end], flow.requests[begin:end], flow.pauses[begin:end], flow.pause_ns
    )
    opened = flow.syn[
        (flow.ts_ns[flow.syn] >= span.start_ns) & (flow.ts_ns[flow.syn] < row.from_ns)
    ]
    answered = flow.syn_ack[flow.ts_ns[flow.syn_ack] <= row.from_ns]
    if len(opened) and len(answered):
        begun, ended = int(flow.ts_ns[opened[0]]), int(flow.ts_ns[answered[-1]])
        phases = [(Stretch.HANDSHAKE, begun, ended), *phases]
    troubles = [each for each in flow.troubles if each[1] < span.end_ns and each[2] > span.start_ns]
    outside_ns = max(span.start_ns - row.from_ns, int(ts_ns[end - 1]) - span.end_ns, 0)
    return WireTime(
        trace_id=row.trace_id,
        span_id=row.span_id,
        decision_id=row.decision_id,
        start_ns=span.start_ns,
        end_ns=span.end_ns,
        exchanges=exchanges,
        rtt_ns=flow.rtt_ns,
        pieces=tile(span.start_ns, span.end_ns, phases, troubles),
        outside_ns=outside_ns,
        confidence=row.confidence,
    )


def _phases(ts_ns: I64, is_request: Mask, pauses: Mask, pause_ns: int) -> tuple[list[Piece], int]:
    """Return the phases of every exchange, in time, and how many exchanges there were."""
    phases: list[Piece] = []
    exchanges, last, was_asked, may_pause = 0, 0, False, False
    for at_ns, is_asked, ends_write in zip(
        ts_ns.tolist(), is_request.tolist(), pauses.tolist(), strict=True
    ):
        if is_asked and not was_asked:
            exchanges += 1
        elif is_asked:
            phases.append((Stretch.SEND, last, at_ns))
        elif was_asked or (exchanges and may_pause and at_ns - last > pause_ns):
            phases.append((Stretch.ANSWER, last, at_ns))
        elif exchanges:
            phases.append((Stretch.RECEIVE, last, at_ns))
        last, was_asked, may_pause = at_ns, is_asked, ends_write
    return phases, exchanges


def tile(
    start_ns: int, end_ns: int, phases: Sequence[Piece], troubles: Sequence[Piece]
) -> list[Piece]:
    """Return pieces that tile [start, end): trouble over phase, phase over host.

    Of two that overlap within one kind the earlier one keeps its time; a retransmission covers a
    window that was closed meanwhile.
    """
    edges = {start_ns, end_ns}
    for _, from_ns, to_ns in (*phases, *troubles):
        edges |= {min(max(each, start_ns), end_ns) for each in (from_ns, to_ns)}
    cuts = sorted(edges)
    ranked = [
        *(each for each in troubles if each[0] is Stretch.RETRANSMISSION),
        *(each for each in troubles if each[0] is not Stretch.RETRANSMISSION),
        *phases,
    ]
    pieces: list[Piece] = []
    for from_ns, to_ns in itertools.pairwise(cuts):
        what = next(
            (kind for kind, begin, end in ranked if begin <= from_ns and end >= to_ns),
            Stretch.HOST,
        )
        if pieces and pieces[-1][0] is what:
            pieces[-1] = (what, pieces[-1][1], to_ns)
        else:
            pieces.append((what, from_ns, to_ns))
    return pieces


def _retransmissions(packets: PacketColumns, way: np.ndarray) -> list[Piece]:
    """Return from each segment to the same one sent again, of one direction."""
    first: dict[int, int] = {}
    pieces = []
    length = packets.payload_bytes.astype(np.int64)
    for row in np.flatnonzero(way & (length > 1)).tolist():
        seq, at_ns = int(packets.tcp_seq[row]), int(packets.ts_ns[row])
        if seq in first:
            pieces.append((Stretch.RETRANSMISSION, first[seq], at_ns))
        first[seq] = at_ns
    return pieces


def _filled_holes(packets: PacketColumns, way: np.ndarray, rtt_ns: int | None) -> list[Piece]:
    """Return from each hole in what came to the segment that filled it, of one direction.

    What is lost before it comes here is seen once, behind those that overtook it. One that was
    merely reordered comes within a round trip; one that had to be sent again does not, since its
    sender has to hear of the hole first.
    """
    # The least round trip of a few may be longer than the one that this took.
    least_ns = _REORDERED_NS if rtt_ns is None else rtt_ns * 3 // 4
    length = packets.payload_bytes.astype(np.int64)
    rows = np.flatnonzero(way & (length > 0))
    if not len(rows):
        return []
    pieces: list[Piece] = []
    holes: list[tuple[int, int, int]] = []  # begin, end, when it was seen
    seq = packets.tcp_seq[rows].astype(np.int64)
    top = int(seq[0])
    for row, number in zip(rows.tolist(), seq.tolist(), strict=True):
        # Relative to what came furthest, so that numbers may wrap.
        begin = top + (number - top + 2**31) % 2**32 - 2**31
        end, at_ns = begin + int(length[row]), int(packets.ts_ns[row])
        if begin > top:
            holes.append((top, begin, at_ns))
        left: list[tuple[int, int, int]] = []
        for hole_begin, hole_end, seen_ns in holes:
            if end <= hole_begin or begin >= hole_end:
                left.append((hole_begin, hole_end, seen_ns))
                continue
            if at_ns - seen_ns >= least_ns:
                pieces.append((Stretch.RETRANSMISSION, seen_ns, at_ns))
            if hole_begin < begin:
                left.append((hole_begin, begin, seen_ns))
            if end < hole_end:
                left.append((end, hole_end, seen_ns))
        # A capture that began late, or kept a part, has holes that nobody ever fills.
        holes = left[-_HOLES_MAX:]
        top = max(top, end)
    return pieces


def _zero_windows(packets: PacketColumns, way: np.ndarray) -> list[Piece]:
    """Return from each window without room to the next with, as one side told them."""
    settled = (packets.tcp_flags & np.uint16(SYN | FIN | RST)) == 0
    pieces: list[Piece] = []
    closed_ns = None
    for row in np.flatnonzero(way & settled).tolist():
        at_ns, window = int(packets.ts_ns[row]), int(packets.tcp_window[row])
        if window == 0 and closed_ns is None:
            closed_ns = at_ns
        elif window and closed_ns is not None:
            pieces.append((Stretch.ZERO_WINDOW, closed_ns, at_ns))
            closed_ns = None
    return pieces
