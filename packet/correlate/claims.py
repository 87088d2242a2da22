"""Pure: exchanges that spans claim, and who gives way to whom."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from collector.core.times import NS_PER_MS
from packet.correlate.exchanges import Traffic
from packet.correlate.trace_context import HPACK
from packet.decode.columns import port_pair

# A link at most this sure is one of a set: which of the spans the packets belong to is not known.
AMBIGUOUS_CONFIDENCE = 0.5

# Where nothing fits the span exactly: its clock may have been stepped, or run off by so much.
SLACK_NS = NS_PER_MS

# A request waits in the callee's socket before its span begins, and a lost segment is sent again
# after 200 ms at the earliest (Linux, TCP_RTO_MIN) inside the span: 50 ms is for the former.
WINDOW_MARGIN_NS = 50 * NS_PER_MS

_NEVER_NS = np.iinfo(np.int64).max

Claimed: TypeAlias = tuple[int, bool, int]  # connection, whether by its callee, exchange


@dataclass(frozen=True, slots=True)
class SpanEndpoints:
    """A span of one end of a connection; ports of 0 are not known."""

    trace_id: str
    span_id: str
    decision_id: str  # "" for a span that belongs to no decision
    is_server: bool  # it answers; else it asks
    start_ns: int
    end_ns: int
    local_port: int
    peer_port: int
    peer_address: str  # as `columns.normal_address` spells it; "" where only a name is known
    parent_span_id: str = ""
    clock: str = ""  # whose: the host that it names, "" for none
    clock_error_ns: int = 0  # what that clock says it may be wrong by

    @property
    def port_pair(self) -> int:
        """Return the key of its connection, see `columns.port_pair`."""
        return port_pair(self.local_port, self.peer_port)

    @property
    def client_port(self) -> int:
        """Return the port of the side that asks."""
        return self.peer_port if self.is_server else self.local_port

    @property
    def sender_id(self) -> str:
        """Return the span whose id the request carried, "" where it is not known."""
        return self.parent_span_id if self.is_server else self.span_id


@dataclass(frozen=True, slots=True)
class Claim:
    """Exchanges [begin, end) of one connection, claimed by one span."""

    span: SpanEndpoints
    flow_hash: int
    client_port: int
    begin: int
    end: int
    method: str
    until_ns: int  # what came later is not of the span
    confidence: float  # before others who claim the same are counted
    is_said: bool = False  # by the request itself: what time alone says is no rival


def last_packet_ns(span: SpanEndpoints, first_ns: int | None = None) -> int:
    """Return when the last packet of a span's exchanges may have come.

    Args:
        span: by the clock of the packets.
        first_ns: when its request came; None where it was found by its time. Where it said so
            itself clocks may differ, but it was not on its way for longer than its span.
    """
    margin_ns = WINDOW_MARGIN_NS if span.is_server else max(SLACK_NS, span.clock_error_ns)
    return margin_ns + (span.end_ns if first_ns is None else first_ns + span.end_ns - span.start_ns)


def leave_to_others(claims_by_span: Sequence[list[Claim]], traffic: Traffic) -> None:
    """Leave the last exchange of a caller to whom it fits whole.

    A connection goes back to its pool while the caller's span still runs, and the next caller's
    request is on the wire before that ends. Where nobody else is known it may have been this one's,
    which gave up: that is not sure.
    """
    whole = Counter(
        exchange
        for claims in claims_by_span
        for claim in claims
        for exchange in claimed_by(claim)
        if _is_answered(claim, exchange[2], traffic)
    )
    for claims in claims_by_span:
        for place, claim in enumerate(claims):
            last = claim.end - 1
            if claim.is_said or claim.span.is_server or last == claim.begin:
                continue
            exchanges = traffic.exchanges(claim.flow_hash, claim.client_port)
            is_late = exchanges.answered_ns[last] > claim.until_ns
            if is_late and whole[claim.flow_hash, False, last]:
                claims[place] = replace(claim, end=last)
            elif is_late and _is_answered(claim, last - 1, traffic):
                sure = min(claim.confidence, AMBIGUOUS_CONFIDENCE)
                claims[place] = replace(claim, confidence=sure)


def go_on(claims_by_span: Sequence[list[Claim]], traffic: Traffic) -> None:
    """Give those whose request said so what follows on its connection while they run.

    What goes on behind an interim answer, and each part of a stream, looks like a request and its
    response. Where another one is on its way as well, whose they are is not known.
    """
    taken = {each for claims in claims_by_span for claim in claims for each in claimed_by(claim)}
    # How many are on their way at an instant: those that began by then, less those that ended.
    begins, ends = (defaultdict[tuple[int, bool], list[int]](list) for _ in range(2))
    stated = [claim for claims in claims_by_span for claim in claims if claim.is_said]
    for claim in stated:
        begin_ns = _begin_ns(claim, traffic)
        side = claim.flow_hash, claim.span.is_server
        begins[side].append(begin_ns)
        ends[side].append(begin_ns + claim.span.end_ns - claim.span.start_ns)
    for instants in (*begins.values(), *ends.values()):
        instants.sort()

    def is_own(claim: Claim, index: int) -> bool:
        side = claim.flow_hash, claim.span.is_server
        if (*side, index) in taken or traffic.is_said(claim.flow_hash, claim.client_port, index):
            return False
        exchanges = traffic.exchanges(claim.flow_hash, claim.client_port)
        at_ns = int(exchanges.first_ns[index])
        on_way = bisect_right(begins[side], at_ns) - bisect_left(ends[side], at_ns)
        runs_ns = claim.span.end_ns - claim.span.start_ns
        return (
            on_way == 1
            and at_ns <= _begin_ns(claim, traffic) + runs_ns
            and _is_answered(claim, index, traffic)
        )

    for claims in claims_by_span:
        for place, claim in enumerate(claims):
            follows = traffic.exchanges(claim.flow_hash, claim.client_port).follows
            end = claim.end
            while claim.is_said and end < len(follows) and follows[end] and is_own(claim, end):
                end += 1
            claims[place] = replace(claim, end=end) if end > claim.end else claim


def mix_streams(claims_by_span: Sequence[list[Claim]], traffic: Traffic) -> None:
    """Lessen how sure those are whose request came while another stream may still be answered.

    Which stream of HTTP/2 bytes are of is not known: what was left of the answer to one looks like
    the answer to the next. It cannot be where the span of the one was over before that came.
    """
    streams: dict[tuple[int, bool], list[tuple[int, int, list[Claim], int]]] = defaultdict(list)
    for claims in claims_by_span:
        for place, claim in enumerate(claims):
            if claim.method == HPACK:
                side, begin_ns = (claim.flow_hash, claim.span.is_server), _begin_ns(claim, traffic)
                streams[side].append((begin_ns, len(streams[side]), claims, place))
    for rows in streams.values():
        rows.sort(key=lambda row: row[:2])
        stream_claims = [claims[place] for _, _, claims, place in rows]
        begins = np.array([row[0] for row in rows], np.int64)
        ends = np.array(
            [_end_ns(*each) for each in zip(stream_claims, begins.tolist(), strict=True)]
        )
        answers = np.maximum([_answered_ns(each, traffic) for each in stream_claims], begins)
        # The latest end of those before, and the first answer of those behind.
        before = np.maximum.accumulate(np.concatenate(([0], ends[:-1])))
        behind = np.minimum.accumulate(np.append(answers[1:], _NEVER_NS)[::-1])[::-1]
        for row in np.flatnonzero((before >= answers) | (behind <= ends)).tolist():
            _, _, claims, place = rows[row]
            sure = min(stream_claims[row].confidence, AMBIGUOUS_CONFIDENCE)
            claims[place] = replace(stream_claims[row], confidence=sure)


def _begin_ns(claim: Claim, traffic: Traffic) -> int:
    return int(traffic.exchanges(claim.flow_hash, claim.client_port).first_ns[claim.begin])


def _end_ns(claim: Claim, begin_ns: int) -> int:
    """Return when the span of a claim ended, by the clock that stamped its request."""
    span = claim.span
    if span.start_ns - WINDOW_MARGIN_NS <= begin_ns <= span.end_ns:
        return span.end_ns  # one clock; a caller's request left a while after its span began
    return begin_ns + span.end_ns - span.start_ns


def _answered_ns(claim: Claim, traffic: Traffic) -> int:
    return int(traffic.exchanges(claim.flow_hash, claim.client_port).answered_ns[claim.begin])


def _is_answered(claim: Claim, index: int, traffic: Traffic) -> bool:
    """Return whether the answer of one exchange came while the span of a claim ran."""
    answered_ns = traffic.exchanges(claim.flow_hash, claim.client_port).answered_ns[index]
    return 0 <= int(answered_ns) <= claim.until_ns


def claimed_by(claim: Claim) -> list[Claimed]:
    """Return the exchanges of a claim, each with its connection and side."""
    side = claim.span.is_server
    return [(claim.flow_hash, side, index) for index in range(claim.begin, claim.end)]
