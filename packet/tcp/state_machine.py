"""Pure: the rules that name a TCP packet a retransmission or a round trip, packet by packet.

They are Wireshark's (its User's Guide, "TCP Analysis"), in its order and with its quirks, so that
a reader who opens the same capture there sees the same words. `analysis_clean` gives the same
answers for connections in which nothing happens, all at once; the rest comes here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from packet.decode.columns import ACK, FIN, RST, SYN

# What a packet was found to be, as bits. FAST and SPURIOUS come with RETRANSMISSION.
RETRANSMISSION: Final = 0x001
FAST_RETRANSMISSION: Final = 0x002
SPURIOUS_RETRANSMISSION: Final = 0x004
OUT_OF_ORDER: Final = 0x008
DUPLICATE_ACK: Final = 0x010
ZERO_WINDOW: Final = 0x020
KEEP_ALIVE: Final = 0x040
LOST_SEGMENT: Final = 0x080
# Known while a connection is followed, and not reported.
_PROBE, _PROBE_ACK, _KEEP_ALIVE_ACK, _WINDOW_UPDATE = 0x100, 0x200, 0x400, 0x800
REPORTED: Final = 0x0FF
_SENT_AGAIN = RETRANSMISSION | FAST_RETRANSMISSION | SPURIOUS_RETRANSMISSION

_SFR = SYN | FIN | RST
_SFR_ACK = _SFR | ACK
_NUMBERED = SYN | FIN  # each takes a sequence number
_MASK, _HALF = 0xFFFFFFFF, 0x80000000
_UNSEEN_WINDOW = _MASK  # of a side that has not spoken; the wire has 16 bits
_NS_HALF = 2**63  # time stamps have 64 bits
# Where nothing is acknowledged, as in a capture of one direction, no more segments are held.
UNACKED_MAX: Final = 10_000
_FAST_NS = 20_000_000  # a fast retransmission follows its duplicate ACK within 20 ms
_REORDER_NS = 3_000_000  # out of order within 3 ms, where the handshake gave no round trip


class Segment(NamedTuple):
    """One TCP packet, as its headers state it."""

    from_first: bool  # sent by the end that sent the first packet of the connection
    ts_ns: int
    seq: int
    ack: int
    length: int  # of the payload
    flags: int
    window: int
    sack: tuple[tuple[int, int], ...]  # left and right edges


class Finding(NamedTuple):
    """What one packet turned out to be."""

    events: int  # bits
    rtt_ns: int | None  # since the segment was sent that it acknowledges
    rtt_valid: bool  # that segment was sent once (Karn and Partridge, 1987)


_QUIET: Final = Finding(0, None, False)


def _timed(events: int, rtt_ns: int | None, is_valid: bool) -> Finding:
    if not rtt_ns:
        # A round trip of nothing is a capture without a clock, and no measurement.
        return Finding(events & REPORTED, None, False) if events else _QUIET
    if not -_NS_HALF <= rtt_ns < _NS_HALF:
        rtt_ns = (rtt_ns + _NS_HALF) % (2 * _NS_HALF) - _NS_HALF  # stamps that make no sense
    return Finding(events & REPORTED, rtt_ns, is_valid and rtt_ns > 0)  # less: a clock set back


class _Unacked:
    """A segment that waits for its ACK."""

    __slots__ = ("end", "sent_again", "seq", "ts_ns")

    def __init__(self, seq: int, end: int, ts_ns: int, sent_again: bool) -> None:
        self.seq = seq
        self.end = end
        self.ts_ns = ts_ns
        self.sent_again = sent_again


class _End:
    """One end of a connection: what it sent last, and what of it waits."""

    __slots__ = (
        "acked", "acked_ns", "base", "contiguous", "duplicates", "events", "is_ordered", "looked",
        "next", "next_ns", "sack", "tail_length", "unacked", "window",
    )  # fmt: skip

    def __init__(self) -> None:
        self.base: int | None = None  # its initial sequence number
        self.next = 0  # one past the highest number sent; 0: it has not spoken
        self.next_ns = 0  # when `next` was reached
        self.contiguous = 0  # one past the highest number sent without a gap; 0 likewise
        self.acked = 0  # the acknowledgment number it sent last
        self.acked_ns = 0
        self.window = _UNSEEN_WINDOW
        self.duplicates = 0  # of its ACK so far
        self.events = 0  # of its last packet
        self.tail_length = 0  # payload of the packet that reached `next`
        self.sack: Sequence[tuple[int, int]] = ()  # of its last packet, less the other's base
        self.unacked: list[_Unacked] = []  # in the order sent
        self.looked: tuple[int, int] | None = None  # (ACK, len(unacked)) when last settled
        self.is_ordered = True  # `unacked` is by number, and spans less than half the space


def _after(one: int, other: int) -> bool:
    """Return whether a number comes after another, modulo 2^32; half of all away, both do."""
    return 0 < ((one - other) & _MASK) <= _HALF


def _reaches(one: int, other: int) -> bool:
    """Return whether a sequence number is another or comes after it."""
    return ((one - other) & _MASK) <= _HALF


class Connection:
    """Follows the packets between two endpoints; a new SYN begins them anew."""

    __slots__ = ("_awaits_first_rtt", "_ended", "_ends", "_first_rtt_ns", "_syn_ns", "number")

    def __init__(self) -> None:
        self.number = 0  # of the connections between these endpoints, this one
        self._reset()

    def _reset(self) -> None:
        self._ends = (_End(), _End())
        self._ended = False  # by a FIN or an RST
        self._syn_ns: int | None = None
        self._first_rtt_ns = 0
        self._awaits_first_rtt = False  # a SYN was seen, and no ACK after it

    def step(self, s: Segment) -> Finding:
        """Return what the next packet is."""
        return self._usual(s) or self._unusual(s)

    def _usual(self, s: Segment) -> Finding | None:
        """Return what a packet is in which nothing happens, as `_unusual` would; None: ask it.

        Next in order, with room on both sides, and an ACK that does not run ahead: most packets
        even of a connection with events, in a third of the time.
        """
        from_first, ts_ns, seq, ack, length, flags, window, sack = s
        ends = self._ends
        me, peer = ends if from_first else ends[::-1]
        if (
            flags & _SFR_ACK != ACK
            or seq != me.next
            or sack
            or not (seq and window and peer.window)
        ):
            return None
        is_new_ack = ack != me.acked
        if not (length or is_new_ack) or peer.base is None or self._awaits_first_rtt:
            return None
        if peer.contiguous and 0 < ((ack - peer.contiguous) & _MASK) <= _HALF:
            return None
        if length:
            end, unacked = (seq + length) & _MASK, me.unacked
            if not end or (peer.acked and not 0 < ((end - peer.acked) & _MASK) < _HALF):
                return None
            if unacked:
                if not me.is_ordered or len(unacked) >= UNACKED_MAX:
                    return None
                if ((end - unacked[0].seq) & _MASK) >= _HALF // 2 or unacked[-1].end != seq:
                    return None
            me.is_ordered = True
            unacked.append(_Unacked(seq, end, ts_ns, False))
            me.looked = None
            me.tail_length, me.next, me.next_ns = length, end, ts_ns
            if seq == me.contiguous or not me.contiguous:
                me.contiguous = end
        if is_new_ack:
            me.duplicates = 0
        me.window, me.acked, me.acked_ns, me.events, me.sack = window, ack, ts_ns, 0, ()
        if not peer.unacked:
            return _QUIET
        return _timed(0, *_settled(peer, ack, ts_ns))

    def _unusual(self, s: Segment) -> Finding:
        me, peer = self._opened(s)
        if me.base is None:
            me.base = s.seq if s.flags & SYN else (s.seq - 1) & _MASK
        if peer.base is None and s.flags & ACK:
            peer.base = (s.ack - 1) & _MASK

        events = _heard(me, peer, s)
        if s.ack != me.acked:
            me.duplicates = 0
        events |= _acknowledged(me, peer, s)
        if s.length or s.flags & _NUMBERED:
            events |= self._repeated(me, peer, s, events)
        end = _queued(me, s, events)
        _advanced(me, s, end, events)
        me.window, me.acked, me.acked_ns, me.events = s.window, s.ack, s.ts_ns, events
        rtt_ns, is_valid = _settled(peer, s.ack, s.ts_ns)
        if s.sack and events & _WINDOW_UPDATE:
            # SACK blocks say more than a window does.
            events |= DUPLICATE_ACK
            me.duplicates += 1
        me.sack = _relative(s.sack, peer.base or 0) if s.sack else ()
        self._closed(s)
        return _timed(events, rtt_ns, is_valid)

    def _opened(self, s: Segment) -> tuple[_End, _End]:
        """Return sender and receiver, of a new connection where a SYN opens one."""
        mine = 0 if s.from_first else 1
        me, peer = self._ends[mine], self._ends[1 - mine]
        if not s.flags & SYN or me.base is None:
            return me, peer
        if s.seq != me.base or self._ended:
            self._reset()
            self.number += 1
            return self._ends[mine], self._ends[1 - mine]
        if not s.flags & ACK:
            # The same SYN again, after an RST whose number may have lain anywhere.
            me.next = me.contiguous
        return me, peer

    def _closed(self, s: Segment) -> None:
        if s.flags & RST or s.flags & (FIN | ACK) == FIN | ACK:
            self._ended = True
        if s.flags & (SYN | ACK) == SYN:
            self._syn_ns = s.ts_ns
            self._awaits_first_rtt = not self._first_rtt_ns
        elif s.flags & (SYN | ACK) == ACK and self._syn_ns is not None and not self._first_rtt_ns:
            self._first_rtt_ns = s.ts_ns - self._syn_ns
            self._awaits_first_rtt = not self._first_rtt_ns

    def _repeated(self, me: _End, peer: _End, s: Segment, events: int) -> int:
        """Return which kind of repetition a packet is that takes numbers, if any."""
        if events & KEEP_ALIVE:
            return 0
        end = (s.seq + s.length) & _MASK
        if s.length and peer.acked and _reaches(peer.acked, end):
            return SPURIOUS_RETRANSMISSION | RETRANSMISSION
        behind = bool(me.next) and _after(me.next, s.seq)
        if s.length > 1 and s.seq == (me.next - 1) & _MASK:
            behind = False  # new data behind a probe of one byte
        if not behind:
            return 0
        if s.ts_ns - peer.acked_ns < _FAST_NS and _is_fast(peer, s.seq, end):
            return FAST_RETRANSMISSION | RETRANSMISSION
        if not _mark_repeated(me, s.seq, end):
            late_ns = s.ts_ns - me.next_ns
            reached = (end + bool(s.flags & _NUMBERED)) & _MASK
            if 0 <= late_ns < (self._first_rtt_ns or _REORDER_NS) and (
                me.next != reached or not me.tail_length
            ):
                return OUT_OF_ORDER
        return RETRANSMISSION


def _heard(me: _End, peer: _End, s: Segment) -> int:
    """Return what a packet is by its place after what this end sent before."""
    if s.length == 1 and s.seq == me.next and peer.window == 0:
        return _PROBE
    events = 0
    is_plain = not s.flags & _SFR
    if s.window == 0 and is_plain:
        events |= ZERO_WINDOW
    if me.next and _after(s.seq, me.next) and not s.flags & RST:
        events |= LOST_SEGMENT
    if s.length <= 1 and s.seq == (me.next - 1) & _MASK and is_plain:
        events |= KEEP_ALIVE
    if s.length or not is_plain or s.seq != me.next:
        return events
    if s.window == 0:
        is_probed = peer.events & _PROBE and me.window == 0
        if is_probed and (s.ack - me.acked) & _MASK <= 1:
            events |= _PROBE_ACK
            if s.ack != me.acked:
                # The receiver took the byte of the probe after all.
                peer.next = peer.contiguous = s.ack
    elif s.ack == me.acked:
        if s.window != me.window:
            events |= _WINDOW_UPDATE
        elif peer.events & KEEP_ALIVE:
            events |= _KEEP_ALIVE_ACK
        else:
            events |= DUPLICATE_ACK
            me.duplicates += 1
    return events


def _acknowledged(me: _End, peer: _End, s: Segment) -> int:
    """Move the mark of what may be acknowledged where more was than the capture holds."""
    if not peer.contiguous or not s.flags & ACK or not _after(s.ack, peer.contiguous):
        return 0
    if s.ack == (me.acked + 1) & _MASK and s.seq == me.next and peer.events & _PROBE:
        peer.next = peer.contiguous = s.ack
        return _WINDOW_UPDATE
    left = right = 0
    for waiting in reversed(peer.unacked):
        if left == right:
            left, right = waiting.seq, waiting.end
        if _reaches(waiting.seq, s.ack):
            if waiting.end != left:
                right = waiting.end
            left = waiting.seq
    peer.contiguous = right if s.ack == left and _after(right, s.ack) else s.ack
    return 0


def _is_fast(peer: _End, seq: int, end: int) -> bool:
    """Return whether duplicate ACKs asked for a segment that is behind."""
    if peer.duplicates < 2:
        return False
    if peer.acked == seq:
        return True
    if not peer.sack:
        return False
    # Edges less the base against numbers as they are: so Wireshark compares them, which makes a
    # segment look asked for whenever its number is a large one.
    return not any(seq >= left and end <= right for left, right in peer.sack)


def _mark_repeated(me: _End, seq: int, end: int) -> bool:
    """Return whether the same bytes wait for their ACK, and mark them as sent again."""
    for waiting in reversed(me.unacked):
        if _reaches(seq, waiting.seq) and _reaches(waiting.end, end):
            waiting.sent_again = True
            return True
    return False


def _queued(me: _End, s: Segment, events: int) -> int:
    """Hold a packet that takes numbers until it is acknowledged; return one past its last."""
    end = (s.seq + s.length) & _MASK
    if not (s.length or s.flags & _NUMBERED) or len(me.unacked) >= UNACKED_MAX:
        return end
    if s.flags & _NUMBERED:
        end = (end + 1) & _MASK
    if not me.unacked:
        me.is_ordered = True
    elif me.is_ordered:
        last, first = me.unacked[-1], me.unacked[0]
        spans = (end - first.seq) & _MASK
        me.is_ordered = not _after(last.end, s.seq) and spans < _HALF // 2
    me.unacked.append(_Unacked(s.seq, end, s.ts_ns, bool(events & _SENT_AGAIN)))
    me.looked = None
    return end


def _advanced(me: _End, s: Segment, end: int, events: int) -> None:
    is_numbered = bool(s.flags & _NUMBERED)
    if not me.next or _after(end, (me.next + is_numbered) & _MASK):
        me.tail_length = s.length
    if events & _PROBE:
        return
    if not me.next or _after(end, me.next):
        me.next = end
        me.next_ns = s.ts_ns
    if not me.contiguous or s.seq == me.contiguous:
        me.contiguous = me.next


def _settled(peer: _End, ack: int, ts_ns: int) -> tuple[int | None, bool]:
    """Let go of what an ACK covers; return the time since the earliest segment it ends in.

    Acknowledging a segment that was sent twice gives the time since the first sending, which may
    be wrong; the second value says whether it is not.
    """
    waiting = peer.unacked
    if not waiting or peer.looked == (ack, len(waiting)):
        return None, False
    rtt_ns, is_valid = None, False
    if peer.is_ordered and ((ack - waiting[0].seq) & _MASK) < _HALF:
        count = 0
        for segment in waiting:
            if _after(segment.end, ack):
                break
            count += 1
            if segment.end == ack:
                rtt_ns, is_valid = ts_ns - segment.ts_ns, not segment.sent_again
        del waiting[:count]
        if waiting and _after(ack, waiting[0].seq):
            waiting[0].seq = ack
            rtt_ns, is_valid = ts_ns - waiting[0].ts_ns, not waiting[0].sent_again
    else:
        kept = []
        for segment in reversed(waiting):
            ends_here = segment.end == ack
            if ends_here or (_after(ack, segment.seq) and _after(segment.end, ack)):
                rtt_ns, is_valid = ts_ns - segment.ts_ns, not segment.sent_again
            if not ends_here and _after(segment.end, ack):
                if _after(ack, segment.seq):
                    segment.seq = ack
                kept.append(segment)
        peer.unacked = kept[::-1]
    peer.looked = (ack, len(peer.unacked))
    return rtt_ns, is_valid


def _relative(blocks: Sequence[tuple[int, int]], base: int) -> list[tuple[int, int]]:
    return [((left - base) & _MASK, (right - base) & _MASK) for left, right in blocks]
