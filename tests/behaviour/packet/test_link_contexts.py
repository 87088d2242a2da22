from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from collector.core.times import NS_PER_MS
from packet.correlate.claims import AMBIGUOUS_CONFIDENCE, SLACK_NS
from packet.correlate.span_windows import with_ports
from packet.correlate.spans import TUPLE_AND_TIME, link
from packet.correlate.trace_context import (
    CONTEXT,
    HEADER,
    HPACK,
    Context,
    as_contexts,
    carried_by,
    no_contexts,
)
from packet.correlate.wait_times import Stretch, wire_times
from tests.support.packet.build import (
    CLIENT,
    SERVER,
    Packet,
    client_span,
    columns,
    exchange,
    server_span,
)

_T = 10_000 * SLACK_NS
_FAR = 30 * NS_PER_MS  # further than any slack


def _context(packets: list[Packet], span_id: str, at_ns: int, method: str = HEADER) -> Context:
    flow_hash = int(columns(packets).flow_hash[0])
    return Context(at_ns, flow_hash, CLIENT[1], SERVER[1], "t1", span_id, method)


def test_request_that_names_its_span_is_linked_whatever_the_clock_says() -> None:
    """Its exchange is 30 ms from the span, where another stands that said nothing."""
    packets = [*exchange(_T, _T + 500), *exchange(_T + _FAR, _T + _FAR + 400)]
    span = client_span("s1", _T - 10, _T + 600)
    (row,) = link([span], columns(packets), [_context(packets, "s1", _T + _FAR)])
    assert (row.from_ns, row.wire_ns) == (_T + _FAR, 400)
    assert (row.method, row.confidence) == (HEADER, 1.0)


def test_span_that_answers_is_found_by_its_parent() -> None:
    """The request carried the id of who asked; the trace alone would not tell two calls apart."""
    packets = [*exchange(_T, _T + 500), *exchange(_T + 1_000, _T + 1_500)]
    contexts = [_context(packets, "c1", _T), _context(packets, "c2", _T + 1_000)]
    callee = replace(server_span("s2", _T + _FAR, _T + _FAR + 5), parent_span_id="c2")
    (row,) = link([callee], columns(packets), contexts)
    assert (row.span_id, row.from_ns, row.method, row.confidence) == (
        "s2", _T + 1_000, HEADER, 1.0,
    )  # fmt: skip


def test_span_without_ports_has_those_of_its_request() -> None:
    """Most instrumentations do not name the local port: what the request said is enough."""
    packets = exchange(_T, _T + 500)
    contexts = [_context(packets, "s1", _T)]
    span = replace(client_span("s1", _T - 10, _T + 600), local_port=0, peer_port=0)
    callee = replace(
        server_span("s2", _T + 5, _T + 400), local_port=0, peer_port=0, parent_span_id="s1"
    )
    assert [each.port_pair for each in with_ports([span, callee], contexts)] == [
        client_span("s1", 0, 1).port_pair
    ] * 2
    assert with_ports([callee], contexts)[0].client_port == CLIENT[1]
    assert with_ports([span], []) == [span]
    rows = link([span, callee], columns(packets), contexts)
    assert [(row.span_id, row.wire_ns, row.confidence) for row in rows] == [
        ("s1", 500, 1.0),
        ("s2", 500, 1.0),
    ]
    (time,) = wire_times([span, callee], rows, columns(packets))
    assert time.pieces[:2] == [(Stretch.HOST, _T - 10, _T), (Stretch.ANSWER, _T, _T + 500)]


def test_request_of_another_trace_is_not_claimed_by_time() -> None:
    """What was said is stronger than what fits; HTTP/2 may have more on its way than was found."""
    packets = exchange(_T, _T + 500)
    span = client_span("mine", _T - 10, _T + 600)
    said = replace(_context(packets, "other", _T), trace_id="t2")
    assert link([span], columns(packets), [said]) == []
    (row,) = link([span], columns(packets), [replace(said, method=HPACK)])
    assert (row.method, row.confidence) == (TUPLE_AND_TIME, 1.0)


def test_exchange_that_somebody_said_is_theirs_leaves_the_next_to_the_other() -> None:
    """Two spans of one trace at one time, of which one is known by its header."""
    packets = [*exchange(_T, _T + 500), *exchange(_T + 1_000, _T + 1_500)]
    spans = [client_span("s1", _T - 10, _T + 2_000), client_span("s2", _T - 9, _T + 2_000)]
    rows = link(spans, columns(packets), [_context(packets, "s1", _T)])
    assert [(row.span_id, row.from_ns, row.method, row.confidence) for row in rows] == [
        ("s1", _T, HEADER, 1.0),
        ("s2", _T + 1_000, TUPLE_AND_TIME, 1.0),
    ]


def test_what_was_sent_between_two_requests_belongs_to_neither() -> None:
    """HTTP/2 acknowledges a ping when the last response came, long before the next request."""
    ping, request = Packet(_T - 400, payload=17), exchange(_T, _T + 500)
    packets = [*exchange(_T - 1_000, _T - 500), ping, *request]
    span = client_span("s1", _T - 10, _T + 600)
    (row,) = link([span], columns(packets), [_context(packets, "s1", _T, HPACK)])
    assert (row.from_ns, row.packets, row.wire_ns) == (_T, 3, 500)


def test_requests_that_are_on_their_way_together_are_a_set() -> None:
    """Multiplexed: each request is known, and which packets of the answer are whose is not."""
    packets = [
        Packet(_T, payload=100), Packet(_T + 10, payload=100),
        Packet(_T + 500, SERVER, CLIENT, payload=900), Packet(_T + 600, SERVER, CLIENT, payload=9),
    ]  # fmt: skip
    contexts = [_context(packets, "s1", _T, HPACK), _context(packets, "s2", _T + 10, HPACK)]
    spans = [client_span("s1", _T, _T + 700), client_span("s2", _T, _T + 700)]
    rows = link(spans, columns(packets), contexts)
    assert [(row.method, row.confidence) for row in rows] == [(HPACK, AMBIGUOUS_CONFIDENCE)] * 2


def test_caller_that_asked_again_has_both_and_each_callee_its_own() -> None:
    """A retry carries the same context on the same connection."""
    packets = [*exchange(_T, _T + 500), *exchange(_T + 1_000, _T + 1_500)]
    contexts = [_context(packets, "c", _T), _context(packets, "c", _T + 1_000)]
    caller = client_span("c", _T - 10, _T + 2_000)
    first, second = (
        replace(server_span(name, at, at + 300), parent_span_id="c")
        for name, at in (("one", _T + 100), ("two", _T + 1_100))
    )
    rows = link([caller, first, second], columns(packets), contexts)
    assert [(row.from_ns, row.packets) for row in rows] == [(_T, 6), (_T, 3), (_T + 1_000, 3)]
    assert rows[0].confidence == 1.0
    assert all(AMBIGUOUS_CONFIDENCE < row.confidence < 1 for row in rows[1:])


def test_context_of_packets_that_were_not_kept_links_nothing() -> None:
    """Only evidence that is there is evidence."""
    there = exchange(_T, _T + 500)
    elsewhere = replace(_context(there, "s1", _T), flow_hash=7)
    span = replace(client_span("s1", _T, _T + 600), local_port=0)
    assert link([span], columns(there), [elsewhere]) == []
    beside = _context(there, "s1", _T + _FAR)
    assert link([span], columns(there), [beside]) == []


@given(
    st.lists(st.integers(1, 40), min_size=10, max_size=40),
    st.sampled_from([-40, -20, -7, 7, 20, 40]),
    st.booleans(),
)
def test_lag_of_a_clock_is_found_by_votes(gaps: list[int], lag_ms: int, is_server: bool) -> None:
    """Each span is linked to its own request, or to none: never to its neighbour's."""
    packets: list[Packet] = []
    spans, own = [], {}
    at_ns = _T
    for place, gap in enumerate(gaps):
        at_ns += 500_000 + gap * gap * 50_000 + place * 31_000
        packets += exchange(at_ns, at_ns + 200_000)
        begin, end = (
            (at_ns + 20_000, at_ns + 190_000) if is_server else (at_ns - 9_000, at_ns + 210_000)
        )
        make = server_span if is_server else client_span
        span = make(f"s{place}", begin - lag_ms * NS_PER_MS, end - lag_ms * NS_PER_MS)
        spans.append(replace(span, clock="far"))
        own[span.span_id] = at_ns
    rows = link(spans, columns(packets))
    lagged = [row for row in rows if row.method == f"{TUPLE_AND_TIME}+lag"]
    if lagged:
        assert len(lagged) == len(spans)
        assert all(row.from_ns == own[row.span_id] for row in lagged)
        assert all(AMBIGUOUS_CONFIDENCE < row.confidence < 1 for row in lagged)


def test_lag_that_only_one_distance_can_explain_links_all() -> None:
    """20 ms off, requests 3 to 40 ms apart: without the lag next to nothing fits."""
    starts = [_T + NS_PER_MS * (3 * n + (n * n) % 37 + 11 * (n % 5)) for n in range(0, 120, 3)]
    packets = [packet for at in sorted(set(starts)) for packet in exchange(at, at + 300_000)]
    spans = [
        replace(client_span(f"s{at}", at - 20 * NS_PER_MS - 5_000, at - 19 * NS_PER_MS), clock="b")
        for at in sorted(set(starts))
    ]
    rows = link(spans, columns(packets))
    assert [row.from_ns for row in rows] == sorted(set(starts))
    assert {row.method for row in rows} == {f"{TUPLE_AND_TIME}+lag"}


def test_even_distances_leave_the_lag_open() -> None:
    """A request every 10 ms: one period on, everything fits as well."""
    starts = [_T + 10 * NS_PER_MS * n for n in range(40)]
    packets = [packet for at in starts for packet in exchange(at, at + 300_000)]
    spans = [
        replace(client_span(f"s{at}", at - 4 * NS_PER_MS, at - 3 * NS_PER_MS), clock="b")
        for at in starts
    ]
    assert link(spans, columns(packets)) == []


def test_contexts_of_kept_packets_have_their_stamps() -> None:
    """Two sockets stamp a packet each by itself; a segment sent again is another packet."""
    kept = columns(
        [
            Packet(_T, seq=5, payload=100),
            Packet(_T + 900, seq=5, payload=100),
            Packet(_T + 10, SERVER, CLIENT, seq=5, payload=100),
        ]
    )
    rows = np.zeros(3, CONTEXT)
    rows["flow_hash"] = [kept.flow_hash[0], kept.flow_hash[0], 9]
    rows["ts_ns"], rows["client_port"] = [_T + 2, _T + 899, _T], CLIENT[1]
    rows["tcp_seq"], rows["trace_id"], rows["span_id"] = 5, 1, 2
    assert [each.ts_ns for each in carried_by(kept, [rows, rows])] == [_T, _T + 900]
    assert carried_by(kept, [no_contexts()]) == carried_by(kept, []) == []
    assert as_contexts(rows)[0].trace_id == "01" * 16
