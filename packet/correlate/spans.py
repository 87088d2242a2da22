"""Pure: spans x packets -> which packets carried which span, how sure that is, and why.

The payload packets of a connection are cut into exchanges: a request and the response to it. Where
the request said which span sent it (`contexts`), that span and the one that answers it take its
exchange, whatever the clocks say and whether or not they name their ports, and what follows on its
connection while the span runs, as behind an interim answer or in a stream. Else time decides: a
span of the caller takes the exchanges that begin while it runs; a span of the callee, which begins
after the request came in, takes the one that it overlaps most. An exchange that somebody else's
request was seen in is left alone. What comes when the span is over, as what closes an idle
connection, is of no exchange of it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

import numpy as np

from packet.correlate.claims import (
    AMBIGUOUS_CONFIDENCE,
    SLACK_NS,
    Claim,
    Claimed,
    SpanEndpoints,
    claimed_by,
    go_on,
    last_packet_ns,
    leave_to_others,
    mix_streams,
)
from packet.correlate.clock_lag import AGREED, LAG_MAX_NS, VOTERS_MAX, voted_lag
from packet.correlate.exchanges import (
    Barred,
    Exchanges,
    Place,
    Traffic,
    begun_within,
    overlapped_most,
)
from packet.correlate.trace_context import HEADER, Context
from packet.decode.columns import (
    I64,
    PacketColumns,
    address_words,
)

TUPLE_AND_TIME = "tuple+time"
PORTS_AND_TIME = "ports+time"  # the span names its peer by a host's name, or by a proxy's address

# Behind either, where the span's clock was found to be off from that of the packets, by votes.
LAGGED = "+lag"
_LAG_CONFIDENCE = 0.9

_SLACK_CONFIDENCE = 0.8
# One caller asked twice with one context, and time alone tells whose answer is which.
_AGAIN_CONFIDENCE = 0.9
# On one machine two connections with the same two ports differ in their addresses only; that is
# rare, and where it is seen the confidence is divided among them.
_PORTS_CONFIDENCE = 0.9


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
    host: str = (
        ""  # recorder whose packets these are, by whose clock the times are; "" the writer's
    )


def link(
    spans: Iterable[SpanEndpoints], columns: PacketColumns, contexts: Iterable[Context] = ()
) -> list[SpanFlow]:
    """Return the links between spans and packets, in the order of the spans.

    Args:
        spans: each names both ports of its connection, or is named by a context.
        columns: every kept packet of the spans' time.
        contexts: what requests among those packets said, with the stamps of their packets.
    """
    ordered = list(spans)
    traffic = Traffic(columns, contexts)
    claims_by_span = [_said(span, traffic) for span in ordered]
    owned = {
        exchange
        for claims in claims_by_span
        for claim in claims
        if claim.method == HEADER
        for exchange in claimed_by(claim)
    }
    timed = [place for place, claims in enumerate(claims_by_span) if not claims]
    for place in timed:
        claims_by_span[place] = _timed(ordered[place], 0, traffic, owned)
    lags = _lags([(ordered[place], bool(claims_by_span[place])) for place in timed], traffic)
    for place in timed:
        if (lag_ns := lags.get(_whose(ordered[place]), 0)) != 0:
            claims_by_span[place] = _timed(ordered[place], lag_ns, traffic, owned)
    leave_to_others(claims_by_span, traffic)
    go_on(claims_by_span, traffic)
    mix_streams(claims_by_span, traffic)

    claimants: Counter[Claimed] = Counter()
    claim_counts: Counter[Claimed] = Counter()
    for claim in (claim for claims in claims_by_span for claim in claims):
        own_claims = claimed_by(claim)
        claimants.update(own_claims)
        claim_counts.update(own_claims if claim.is_said else ())
    return [
        _link(claim, len(claims), traffic, claim_counts if claim.is_said else claimants)
        for claims in claims_by_span
        for claim in claims
    ]


def _said(span: SpanEndpoints, traffic: Traffic) -> list[Claim]:
    """Return the exchanges whose request said that this span sent it, or what this span answers.

    A caller that asked again, as after a redirect, has several; a callee has one.
    """
    places = traffic.said_by(span.trace_id, span.sender_id) if span.sender_id else []
    certainty = 1.0
    if span.is_server and len(places) > 1:
        places = [max(places, key=lambda place: _overlap_ns(span, place, traffic))]
        certainty = _AGAIN_CONFIDENCE
    claims = []
    for flow_hash in dict.fromkeys(place.flow_hash for place in places):
        own_places = [place for place in places if place.flow_hash == flow_hash]
        begin = min(place.index for place in own_places)
        first_ns = traffic.exchanges(flow_hash, own_places[0].client_port).first_ns[begin]
        claims.append(
            Claim(
                span=span,
                flow_hash=flow_hash,
                client_port=own_places[0].client_port,
                begin=begin,
                end=max(place.index for place in own_places) + 1,
                method=own_places[0].method,
                until_ns=last_packet_ns(span, int(first_ns)),
                confidence=certainty / max(traffic.callers(place) for place in own_places),
                is_said=True,
            )
        )
    return claims


def _overlap_ns(span: SpanEndpoints, place: Place, traffic: Traffic) -> int:
    exchanges = traffic.exchanges(place.flow_hash, place.client_port)
    first_ns, last_ns = (int(edge[place.index]) for edge in (exchanges.first_ns, exchanges.last_ns))
    return min(last_ns, span.end_ns) - max(first_ns, span.start_ns)


def _timed(
    span: SpanEndpoints, lag_ns: int, traffic: Traffic, owned: AbstractSet[Claimed]
) -> list[Claim]:
    """Return the exchanges that are at the time of a span, on the connections it may have used."""
    candidates, method, confidence = _candidates(span, traffic.of_ports(span.port_pair))
    if lag_ns:
        span = replace(span, start_ns=span.start_ns + lag_ns, end_ns=span.end_ns + lag_ns)
        method, confidence = f"{method}{LAGGED}", confidence * _LAG_CONFIDENCE
    claims = []
    for packets in candidates:
        flow_hash = int(packets.flow_hash[0])

        def is_barred(index: int, flow_hash: int = flow_hash) -> bool:
            return (flow_hash, span.is_server, index) in owned or traffic.is_of_others(
                flow_hash, span.client_port, index, span.trace_id
            )

        exchanges = traffic.exchanges(flow_hash, span.client_port)
        begin, end, certainty = _claimed(span, exchanges, is_barred)
        if begin < end:
            claims.append(
                Claim(
                    span=span,
                    flow_hash=flow_hash,
                    client_port=span.client_port,
                    begin=begin,
                    end=end,
                    method=method,
                    until_ns=last_packet_ns(span),
                    confidence=confidence * certainty,
                )
            )
    return claims


def _whose(span: SpanEndpoints) -> tuple[str, bool]:
    return span.clock, span.is_server


def _lags(
    timed: Sequence[tuple[SpanEndpoints, bool]], traffic: Traffic
) -> dict[tuple[str, bool], int]:
    """Return by clock and side how far its spans are off, where they do not fit as they are.

    Args:
        timed: spans on connections that are there, and whether each fits without a lag.
        traffic: the connections.
    """
    voters: dict[tuple[str, bool], list[tuple[SpanEndpoints, bool]]] = defaultdict(list)
    for span, fits in timed:
        if traffic.of_ports(span.port_pair):
            voters[_whose(span)].append((span, fits))
    lags = {}
    for whose, group in voters.items():
        if sum(fits for _, fits in group) < AGREED * len(group):
            offsets = [_offsets(span, traffic) for span, _ in group[:VOTERS_MAX]]
            lag_ns = voted_lag(offsets, of_callees=whose[1])
            # Less than the slack is how long a request took to leave: the clock is right, and the
            # others do not fit because their packets were not kept.
            lags[whose] = lag_ns if abs(lag_ns) > SLACK_NS else 0
    return lags


def _offsets(span: SpanEndpoints, traffic: Traffic) -> I64:
    """Return from a span's begin to every request near it on the connections it may have used."""
    candidates, _, _ = _candidates(span, traffic.of_ports(span.port_pair))
    offsets = [np.zeros(0, np.int64)]
    for packets in candidates:
        starts = traffic.exchanges(int(packets.flow_hash[0]), span.client_port).first_ns
        from_ns, to_ns = max(span.start_ns - LAG_MAX_NS, 0), span.start_ns + LAG_MAX_NS
        near = slice(*np.searchsorted(starts, np.array([from_ns, to_ns], np.uint64)))
        offsets.append(starts[near].astype(np.int64) - span.start_ns)
    return np.concatenate(offsets)


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


def _claimed(
    span: SpanEndpoints, exchanges: Exchanges, is_barred: Barred
) -> tuple[int, int, float]:
    """Return [begin, end) of the exchanges that a span claims by time, and how sure that is."""
    choose = overlapped_most if span.is_server else begun_within
    for slack_ns, certainty in ((0, 1.0), (SLACK_NS, _SLACK_CONFIDENCE)):
        begin, end = choose(exchanges, span.start_ns - slack_ns, span.end_ns + slack_ns, is_barred)
        if begin < end:
            return begin, end, certainty
    return 0, 0, 0.0


def _link(
    claim: Claim, alternatives: int, traffic: Traffic, claimants: Counter[Claimed]
) -> SpanFlow:
    exchanges = traffic.exchanges(claim.flow_hash, claim.client_port)
    packets, to_ns, wire_ns = exchanges.totals(claim.begin, claim.end, claim.until_ns)
    rivals = max(claimants[each] for each in claimed_by(claim))
    # Of several connections that fit in time one was used; who said so on two has asked twice.
    confidence = claim.confidence / (1 if claim.is_said else rivals * alternatives)
    return SpanFlow(
        trace_id=claim.span.trace_id,
        span_id=claim.span.span_id,
        decision_id=claim.span.decision_id,
        flow_hash=claim.flow_hash,
        from_ns=int(exchanges.first_ns[claim.begin]),
        to_ns=to_ns,
        packets=packets,
        wire_ns=wire_ns,
        method=claim.method,
        # Several that answer one request, or that said they sent it, share what there is.
        confidence=min(confidence, 1 / rivals),
    )
