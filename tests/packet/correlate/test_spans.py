from __future__ import annotations

from dataclasses import replace
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from packet.correlate.claims import AMBIGUOUS_CONFIDENCE, SLACK_NS
from packet.correlate.spans import PORTS_AND_TIME, TUPLE_AND_TIME, link
from packet.decode.columns import SYN
from tests.support.packet.build import (
    CLIENT,
    SERVER,
    Packet,
    client_span,
    columns,
    exchange,
    server_span,
)

_T = 10 * SLACK_NS  # far enough from zero for a slack


def test_span_of_the_caller_takes_its_exchange() -> None:
    """Wire time is from the request sent to the first byte of the response."""
    packets = columns(exchange(_T + 10, _T + 500))
    (row,) = link([client_span("s1", _T, _T + 600)], packets)
    assert (row.trace_id, row.span_id, row.decision_id) == ("t1", "s1", "d1")
    assert row.flow_hash == packets.flow_hash[0]
    assert (row.from_ns, row.to_ns, row.packets) == (_T + 10, _T + 501, 3)
    assert row.wire_ns == 490
    assert (row.method, row.confidence) == (TUPLE_AND_TIME, 1.0)


def test_caller_and_callee_share_an_exchange_without_doubt() -> None:
    """The two ends of one request are no rivals."""
    spans = [client_span("caller", _T, _T + 600), server_span("callee", _T + 100, _T + 490)]
    rows = link(spans, columns(exchange(_T + 10, _T + 500)))
    assert [(row.span_id, row.wire_ns, row.confidence) for row in rows] == [
        ("caller", 490, 1.0),
        ("callee", 490, 1.0),
    ]


def test_callee_that_began_late_still_takes_its_own_request() -> None:
    """Its request waited in the socket, and the next one was sent before it had ended."""
    packets = columns([*exchange(_T, _T + 1_000), *exchange(_T + 1_010, _T + 2_000)])
    (row,) = link([server_span("s1", _T + 800, _T + 1_020)], packets)
    assert row.from_ns == _T


def test_callers_of_one_connection_at_one_time_are_in_doubt() -> None:
    """Multiplexed requests cannot be told apart by time, and the row says so."""
    spans = [client_span("s1", _T, _T + 600), client_span("s2", _T + 5, _T + 700)]
    rows = link(spans, columns(exchange(_T + 10, _T + 500)))
    assert [row.confidence for row in rows] == [0.5, 0.5]


def test_peer_known_by_name_is_matched_by_ports() -> None:
    """`localhost` is no address; the ports and the time are still evidence, and less of it."""
    (row,) = link(
        [client_span("s1", _T, _T + 600, peer_address="")], columns(exchange(_T + 10, _T + 500))
    )
    assert row.method == PORTS_AND_TIME
    assert 0.5 < row.confidence < 1


def test_same_ports_of_other_hosts_are_told_apart_by_the_address() -> None:
    """Where only a name is known, both are named and neither is sure."""
    here = exchange(_T + 10, _T + 500)
    there = exchange(_T + 11, _T + 501, ("10.0.0.7", CLIENT[1]), ("10.0.0.9", SERVER[1]))
    packets = columns([*here, *there])
    (row,) = link([client_span("s1", _T, _T + 600)], packets)
    assert row.flow_hash == packets.flow_hash[0]
    unsure = link([client_span("s1", _T, _T + 600, peer_address="")], packets)
    assert {row.flow_hash for row in unsure} == set(packets.flow_hash.tolist())
    assert all(row.confidence < 0.5 for row in unsure)


def test_address_that_the_wire_does_not_show_is_in_doubt() -> None:
    """A proxy's header may have said it."""
    span = client_span("s1", _T, _T + 600, peer_address="192.0.2.1")
    (row,) = link([span], columns(exchange(_T + 10, _T + 500)))
    assert (row.method, row.confidence) == (PORTS_AND_TIME, 0.5)


def test_clock_that_is_off_by_less_than_the_slack_links_with_less_confidence() -> None:
    """A request that left before its span began cannot be, unless a clock was stepped."""
    span = client_span("s1", _T + 100, _T + 700)
    (row,) = link([span], columns(exchange(_T, _T + 500)))
    assert 0.5 < row.confidence < 1
    far = replace(span, start_ns=span.start_ns + 2 * SLACK_NS, end_ns=span.end_ns + 2 * SLACK_NS)
    assert link([far], columns(exchange(_T, _T + 500))) == []


def test_request_without_its_response_has_no_wire_time() -> None:
    """Unknown is no number."""
    (row,) = link([client_span("s1", _T, _T + 600)], columns(exchange(_T + 10, _T + 500)[:1]))
    assert row.wire_ns is None
    assert row.packets == 1


def test_packets_without_payload_carry_nothing() -> None:
    """Acknowledgements pass at any time and would blur where an exchange ends."""
    packets = [Packet(_T + 1, flags=SYN), *exchange(_T + 10, _T + 500), Packet(_T + 590)]
    (row,) = link([client_span("s1", _T, _T + 600)], columns(packets))
    assert (row.from_ns, row.to_ns, row.packets) == (_T + 10, _T + 501, 3)


# Times of requests one after the other: waits before, within and after each, in ns.
_SERIES = st.lists(
    st.tuples(st.integers(2, 5_000), st.integers(2, 5_000), st.integers(2, 5_000)),
    min_size=1,
    max_size=20,
)


@given(_SERIES)
def test_serial_requests_are_each_linked_to_their_own_exchange(
    series: list[tuple[int, int, int]],
) -> None:
    """A pooled connection carries one request after the other, however close."""
    starts = list(accumulate((sum(waits) + 2 for waits in series), initial=_T))[:-1]
    packets: list[Packet] = []
    spans, expected = [], []
    for place, (start_ns, (before, within, after)) in enumerate(zip(starts, series, strict=True)):
        sent_ns = start_ns + before
        packets += exchange(sent_ns, sent_ns + within)
        spans.append(client_span(f"c{place}", start_ns, sent_ns + within + after))
        expected.append((f"c{place}", sent_ns, sent_ns + within + 1, within, 1.0))
    rows = link(spans, columns(packets))
    assert [
        (row.span_id, row.from_ns, row.to_ns, row.wire_ns, row.confidence) for row in rows
    ] == expected


@given(
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 3_000), st.booleans()), max_size=12),
    st.lists(st.tuples(st.integers(0, 10_000), st.booleans()), max_size=40),
)
def test_link_is_never_surer_than_its_rivals_allow(
    spans: list[tuple[int, int, bool]], packets: list[tuple[int, bool]]
) -> None:
    """Whatever overlaps: a link names packets that exist, and doubt is shared."""
    made = [
        (server_span if is_server else client_span)(f"s{place}", _T + start, _T + start + length)
        for place, (start, length, is_server) in enumerate(spans)
    ]
    wire = columns(
        [
            Packet(_T + at, SERVER, CLIENT, payload=9) if back else Packet(_T + at, payload=9)
            for at, back in sorted(packets)
        ]
    )
    rows = link(made, wire)
    assert len({row.span_id for row in rows}) == len(rows)
    for row in rows:
        inside = (wire.ts_ns >= row.from_ns) & (wire.ts_ns <= row.to_ns)
        assert 0 < row.packets <= inside.sum()
        assert 0 < row.confidence <= 1
        assert row.wire_ns is None or 0 <= row.wire_ns <= row.to_ns - row.from_ns
    for is_server in (False, True):
        sides = {span.span_id for span in made if span.is_server is is_server}
        for one in rows:
            rivals = [
                row
                for row in rows
                if {row.span_id, one.span_id} <= sides and row.from_ns == one.from_ns
            ]
            assert sum(row.confidence for row in rivals) <= 1 + 1e-9


_POOLED = [
    *exchange(_T + 10, _T + 128 * SLACK_NS),
    *(
        replace(each, seq=each.seq + 5_000, ack=each.ack + 5_000)
        for each in exchange(_T + 158 * SLACK_NS, _T + 168 * SLACK_NS)
    ),
]


def test_next_request_of_a_pooled_connection_is_the_next_callers() -> None:
    """A store call of 128 ms was said to have been 138 ms on the wire, and drawn over 168."""
    caller = client_span("c1", _T, _T + 159 * SLACK_NS)
    follower = client_span("c2", _T + 157 * SLACK_NS, _T + 169 * SLACK_NS)
    first, second = link([caller, follower], columns(_POOLED))
    assert (first.to_ns, first.packets) == (_T + 128 * SLACK_NS + 1, 3)
    assert (first.wire_ns, first.confidence) == (128 * SLACK_NS - 10, 1.0)
    assert (second.from_ns, second.packets) == (_T + 158 * SLACK_NS, 3)
    assert (second.wire_ns, second.confidence) == (10 * SLACK_NS, 1.0)


def test_request_that_was_answered_too_late_is_not_sure_to_be_ones_own() -> None:
    """It asked again and gave up, or another caller's span is not there."""
    (row,) = link([client_span("c1", _T, _T + 159 * SLACK_NS)], columns(_POOLED))
    assert (row.packets, row.wire_ns, row.confidence) == (4, None, AMBIGUOUS_CONFIDENCE)


def test_packets_that_were_not_kept_are_no_lag_of_the_clock() -> None:
    """One call in four has its packets, where the clock says they are."""
    starts = [_T + 7 * SLACK_NS * n + n * n * 1_000 for n in range(1, 80)]
    packets = [packet for at in starts[::4] for packet in exchange(at, at + 300_000)]
    spans = [client_span(f"s{at}", at - 400_000, at + 500_000) for at in starts]
    rows = link(spans, columns(packets))
    assert [row.from_ns for row in rows] == starts[::4]
    assert {(row.method, row.confidence) for row in rows} == {(TUPLE_AND_TIME, 1.0)}
