"""Pure: spans x packets -> which packets carried which span, how sure that is, and why.

The payload packets of a connection are cut into exchanges: a request and the response to it. A
span of the caller takes the exchanges that begin while it runs; a span of the callee, which begins
after the request came in, takes the one that it overlaps most.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from collector.clock import NS_PER_MS
from packet.columns import (
    I64,
    SYN,
    U64,
    Mask,
    PacketColumns,
    address_words,
    port_pair,
    port_pairs,
    rows_by_key,
)

TUPLE_AND_TIME = "tuple+time"
PORTS_AND_TIME = "ports+time"  # the span names its peer by a host's name, or by a proxy's address

# A link at most this sure is one of a set: which of the spans the packets belong to is not known.
AMBIGUOUS_CONFIDENCE = 0.5

# Where nothing fits the span exactly: its clock may have been stepped, or run off by so much.
SLACK_NS = NS_PER_MS
_SLACK_CONFIDENCE = 0.8
# On one machine two connections with the same two ports differ in their addresses only; that is
# rare, and where it is seen the confidence is divided among them.
_PORTS_CONFIDENCE = 0.9

# A request waits in the callee's socket before its span begins, and a lost segment is sent again
# after 200 ms at the earliest (Linux, TCP_RTO_MIN) inside the span: 50 ms is for the former.
WINDOW_MARGIN_NS = 50 * NS_PER_MS


@dataclass(frozen=True, slots=True)
class SpanEndpoints:
    """A span that names both ports of its connection."""

    trace_id: str
    span_id: str
    decision_id: str  # "" for a span that belongs to no decision
    is_server: bool  # it answers; else it asks
    start_ns: int
    end_ns: int
    local_port: int
    peer_port: int
    peer_address: str  # as `columns.normal_address` spells it; "" where only a name is known

    @property
    def port_pair(self) -> int:
        """Return the key of its connection, see `columns.port_pair`."""
        return port_pair(self.local_port, self.peer_port)

    @property
    def client_port(self) -> int:
        """Return the port of the side that asks."""
        return self.peer_port if self.is_server else self.local_port


@dataclass(frozen=True, slots=True)
class SpanFlow:
    """One link, as in the table `span_flows`."""

    trace_id: str
    span_id: str
    decision_id: str
    flow_hash: int
    from_ns: int
    to_ns: int
    packets: int  # that carry payload
    wire_ns: int | None  # request sent to first byte of the response, summed over its exchanges
    method: str
    confidence: float


@dataclass(frozen=True, slots=True, eq=False)
class _Exchanges:
    """The exchanges of one connection, in time, not overlapping."""

    first_ns: U64
    last_ns: U64
    packets: I64
    wire_ns: I64  # -1 where the request or the response was not seen


@dataclass(frozen=True, slots=True)
class _Claim:
    """Exchanges [begin, end) of one connection, claimed by one span."""

    span: SpanEndpoints
    flow_hash: int
    begin: int
    end: int
    method: str
    confidence: float  # before others who claim the same are counted


def link(spans: Iterable[SpanEndpoints], columns: PacketColumns) -> list[SpanFlow]:
    """Return the links between spans and packets, in the order of the spans.

    Args:
        spans: of one clock with the packets; each names both ports of its connection.
        columns: every kept packet of the spans' time.
    """
    flows = _flows_by_ports(columns)
    cut: dict[tuple[int, int], _Exchanges] = {}
    claims = []
    for span in spans:
        candidates, method, confidence = _candidates(span, flows.get(span.port_pair, []))
        found = []
        for packets in candidates:
            key = int(packets.flow_hash[0]), span.client_port
            if key not in cut:
                cut[key] = _exchanges(packets, span.client_port)
            begin, end, certainty = _claimed(span, cut[key])
            if begin < end:
                found.append(_Claim(span, key[0], begin, end, method, confidence * certainty))
        claims += [(claim, len(found)) for claim in found]

    claimants = Counter(
        (claim.flow_hash, claim.span.is_server, index)
        for claim, _ in claims
        for index in range(claim.begin, claim.end)
    )
    return [
        _link(claim, alternatives, cut[claim.flow_hash, claim.span.client_port], claimants)
        for claim, alternatives in claims
    ]


def within_windows(
    columns: PacketColumns, spans: Iterable[SpanEndpoints], margin_ns: int = WINDOW_MARGIN_NS
) -> Mask:
    """Return which packets belong to the time of a span of their connection, or open it.

    A pooled connection carries many decisions: only what was on the wire from `margin_ns` before
    to `margin_ns` after a span is evidence for it. The handshake counts as a window too.
    """
    windows: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for span in spans:
        windows[span.port_pair].append((span.start_ns - margin_ns, span.end_ns + margin_ns))
    pairs = port_pairs(columns.src_port, columns.dst_port)
    opening = (columns.tcp_flags & np.uint16(SYN)) != 0
    for pair, ts_ns in zip(pairs[opening].tolist(), columns.ts_ns[opening].tolist(), strict=True):
        if pair in windows:
            windows[pair].append((ts_ns, ts_ns + margin_ns))

    inside = np.zeros(len(columns), np.bool_)
    for rows in rows_by_key(pairs):
        pair = int(pairs[rows[0]])
        if pair in windows:
            begins, ends = _merged(windows[pair])
            ts_ns = columns.ts_ns[rows].astype(np.int64)
            at = np.searchsorted(begins, ts_ns, side="right") - 1
            inside[rows] = (at >= 0) & (ts_ns <= ends[at])
    return inside


def _merged(windows: Sequence[tuple[int, int]]) -> tuple[I64, I64]:
    """Return begins and ends of windows that no longer overlap, ascending."""
    ordered = np.array(sorted(windows), np.int64)
    ends = np.maximum.accumulate(ordered[:, 1])
    new = np.concatenate([[True], ordered[1:, 0] > ends[:-1]])
    last = np.concatenate([new[1:], [True]])
    return ordered[new, 0], ends[last]


def _flows_by_ports(columns: PacketColumns) -> dict[int, list[PacketColumns]]:
    """Return the payload packets of each connection, by time, under its two ports."""
    payload = columns.take(columns.payload_bytes > 0).in_order()
    flows = defaultdict(list)
    for rows in rows_by_key(payload.flow_hash):
        packets = payload.take(rows)
        pair = port_pair(int(packets.src_port[0]), int(packets.dst_port[0]))
        flows[pair].append(packets)
    return flows


def _candidates(
    span: SpanEndpoints, flows: Sequence[PacketColumns]
) -> tuple[Sequence[PacketColumns], str, float]:
    """Return the connections a span may have used, the method, and how sure that is."""
    if span.peer_address:
        words = address_words(span.peer_address)
        matching = [packets for packets in flows if _has_end(packets, words, span.peer_port)]
        if matching:
            return matching, TUPLE_AND_TIME, 1.0
        # The span names another peer than the wire does: a proxy, or an address it was told.
        return flows, PORTS_AND_TIME, AMBIGUOUS_CONFIDENCE
    return flows, PORTS_AND_TIME, _PORTS_CONFIDENCE


def _has_end(packets: PacketColumns, words: Sequence[int], port: int) -> bool:
    ends = (
        (packets.src[0].tolist(), packets.src_port[0]),
        (packets.dst[0].tolist(), packets.dst_port[0]),
    )
    return any(tuple(address) == tuple(words) and at == port for address, at in ends)


def _exchanges(packets: PacketColumns, client_port: int) -> _Exchanges:
    """Cut the payload packets of one connection before each request that follows a response."""
    asked = packets.src_port == client_port
    begins = np.ones(len(packets), np.bool_)
    begins[1:] = asked[1:] & ~asked[:-1]
    starts = np.flatnonzero(begins)
    ends = np.append(starts[1:], len(packets))
    # Within an exchange all of the request precedes all of the response.
    requests = np.add.reduceat(asked.astype(np.int64), starts)
    both = (requests > 0) & (requests < ends - starts)
    ts_ns = packets.ts_ns.astype(np.int64)
    answered = np.minimum(starts + requests, len(packets) - 1)
    sent = np.maximum(answered - 1, 0)
    wire_ns = np.where(both, ts_ns[answered] - ts_ns[sent], -1)
    return _Exchanges(packets.ts_ns[starts], packets.ts_ns[ends - 1], ends - starts, wire_ns)


def _claimed(span: SpanEndpoints, exchanges: _Exchanges) -> tuple[int, int, float]:
    """Return [begin, end) of the exchanges that a span claims, and how sure that is."""
    choose = _overlapped_most if span.is_server else _begun_within
    for slack_ns, certainty in ((0, 1.0), (SLACK_NS, _SLACK_CONFIDENCE)):
        begin, end = choose(exchanges, span.start_ns - slack_ns, span.end_ns + slack_ns)
        if begin < end:
            return begin, end, certainty
    return 0, 0, 0.0


def _begun_within(exchanges: _Exchanges, from_ns: int, to_ns: int) -> tuple[int, int]:
    begin = np.searchsorted(exchanges.first_ns, np.uint64(max(from_ns, 0)), side="left")
    end = np.searchsorted(exchanges.first_ns, np.uint64(to_ns), side="right")
    return int(begin), int(end)


def _overlapped_most(exchanges: _Exchanges, from_ns: int, to_ns: int) -> tuple[int, int]:
    begin = int(np.searchsorted(exchanges.last_ns, np.uint64(max(from_ns, 0)), side="left"))
    end = int(np.searchsorted(exchanges.first_ns, np.uint64(to_ns), side="right"))
    if begin >= end:
        return 0, 0
    first = exchanges.first_ns[begin:end].astype(np.int64)
    last = exchanges.last_ns[begin:end].astype(np.int64)
    most = begin + int(np.argmax(np.minimum(last, to_ns) - np.maximum(first, from_ns)))
    return most, most + 1


def _link(
    claim: _Claim,
    alternatives: int,
    exchanges: _Exchanges,
    claimants: Counter[tuple[int, bool, int]],
) -> SpanFlow:
    rivals = max(
        claimants[claim.flow_hash, claim.span.is_server, index]
        for index in range(claim.begin, claim.end)
    )
    own = slice(claim.begin, claim.end)
    wire_ns = exchanges.wire_ns[own]
    return SpanFlow(
        trace_id=claim.span.trace_id,
        span_id=claim.span.span_id,
        decision_id=claim.span.decision_id,
        flow_hash=claim.flow_hash,
        from_ns=int(exchanges.first_ns[own][0]),
        to_ns=int(exchanges.last_ns[own][-1]),
        packets=int(exchanges.packets[own].sum()),
        wire_ns=int(wire_ns.sum()) if (wire_ns >= 0).all() else None,
        method=claim.method,
        confidence=claim.confidence / (rivals * alternatives),
    )
