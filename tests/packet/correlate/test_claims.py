"""What follows a request that said whose it is, and to whom it belongs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from packet.correlate.claims import AMBIGUOUS_CONFIDENCE, SLACK_NS
from packet.correlate.spans import SpanFlow, link
from packet.correlate.trace_context import HEADER, HPACK, Context
from tests.support.packet.build import CLIENT, SERVER, Packet, client_span, columns, server_span

MS = SLACK_NS
T = 10_000 * MS
# `Expect: 100-continue`: the request, the interim answer, the body, and the answer.
INTERIM = [
    Packet(T, CLIENT, SERVER, seq=0, ack=0, payload=200),
    Packet(T + 100 * MS, SERVER, CLIENT, seq=0, ack=200, payload=25),
    Packet(T + 101 * MS, CLIENT, SERVER, seq=200, ack=25, payload=10),
    Packet(T + 400 * MS, SERVER, CLIENT, seq=25, ack=210, payload=40),
]
CALLER = client_span("c1", T - 10, T + 401 * MS)


def said(span_id: str, at_ns: int, method: str = HEADER) -> Context:
    """Return what the request of a span said, or the segment at an instant."""
    flow_hash = int(columns(INTERIM).flow_hash[0])
    return Context(at_ns, flow_hash, CLIENT[1], SERVER[1], "t1", span_id, method)


def packets_and_wire(row: SpanFlow) -> tuple[int, int | None]:
    """Return how many packets a link has, and its wire time in ms."""
    return row.packets, None if row.wire_ns is None else row.wire_ns // MS


@pytest.mark.parametrize("method", [HEADER, HPACK])
def test_request_goes_on_behind_an_interim_answer(method: str) -> None:
    """A caller that waited 400 ms was said to have waited 100 on the wire, and 300 in its host."""
    callee = replace(server_span("s1", T + 10, T + 400 * MS), parent_span_id="c1")
    caller, answering = link([CALLER, callee], columns(INTERIM), [said("c1", T, method)])
    assert packets_and_wire(caller) == packets_and_wire(answering) == (4, 399)
    assert (caller.method, caller.confidence, answering.confidence) == (method, 1.0, 1.0)


def test_request_that_says_whose_it_is_ends_the_one_before() -> None:
    """Also where that span is not there."""
    (row,) = link([CALLER], columns(INTERIM), [said("c1", T), said("c2", T + 101 * MS)])
    assert packets_and_wire(row) == (2, 100)


def test_span_that_fits_what_follows_by_its_time_takes_it() -> None:
    """The connection went back to its pool while the first one's span still ran."""
    next_one = client_span("c2", T + 101 * MS - 10, T + 400 * MS + 10)
    first, second = link([CALLER, next_one], columns(INTERIM), [said("c1", T)])
    assert (packets_and_wire(first), packets_and_wire(second)) == ((2, 100), (2, 299))


def test_what_follows_is_nobodys_while_another_request_is_on_its_way() -> None:
    """On a connection of HTTP/2 it may be a part of either stream."""
    before = [replace(each, ts_ns=each.ts_ns - 200 * MS) for each in INTERIM[:2]]
    packets = [*before, *(replace(each, seq=each.seq + 900) for each in INTERIM)]
    packets[2:] = [replace(each, ack=each.ack + 900) for each in packets[2:]]
    older = client_span("c0", T - 200 * MS, T + 300 * MS)
    contexts = [said("c0", T - 200 * MS, HPACK), said("c1", T, HPACK)]
    rows = link([older, CALLER], columns(packets), contexts)
    assert [row.packets for row in rows] == [2, 2]


@pytest.mark.parametrize(
    ("until_ns", "method", "sure"),
    [
        pytest.param(T + 150 * MS, HPACK, AMBIGUOUS_CONFIDENCE, id="may still be answered"),
        pytest.param(T + 99 * MS, HPACK, 1.0, id="was answered whole before"),
        pytest.param(T + 150 * MS, HEADER, 1.0, id="HTTP/1.1 answers one after the other"),
    ],
)
def test_answer_that_may_be_of_the_stream_before_is_sure_of_neither(
    until_ns: int, method: str, sure: float
) -> None:
    """What was left of the answer to one stream was said to be the answer to the next, surely."""
    packets = [replace(each, ts_ns=each.ts_ns - 20 * MS, seq=0, ack=0) for each in INTERIM[:2]]
    packets[1] = replace(packets[1], ts_ns=T - 10 * MS, ack=200)
    packets.append(Packet(T, CLIENT, SERVER, seq=200, ack=25, payload=200))
    packets.append(Packet(T + 100 * MS, SERVER, CLIENT, seq=25, ack=400, payload=25))
    spans = [client_span("c0", T - 20 * MS, until_ns), CALLER]
    contexts = [said("c0", T - 20 * MS, method), said("c1", T, method)]
    rows = link(spans, columns(packets), contexts)
    assert [row.confidence for row in rows] == [sure, sure]
    assert [row.confidence for row in link(spans[::-1], columns(packets), contexts)] == [sure, sure]


@pytest.mark.parametrize("behind_ns", [0, 60_000 * MS])
def test_calls_one_after_the_other_are_sure(behind_ns: int) -> None:
    """Also of a caller that was busy before it sent, by the packets' clock or by one of its own."""
    packets, spans, contexts = [], [], []
    for number in range(3):
        begin_ns = T + number * 12 * MS
        at = number * 100
        packets += [
            Packet(begin_ns, CLIENT, SERVER, seq=at, ack=at, payload=100),
            Packet(begin_ns + MS, SERVER, CLIENT, seq=at, ack=at + 100, payload=100),
        ]
        contexts.append(said(f"c{number}", begin_ns, HPACK))
        began_ns = begin_ns - (9 * MS if not behind_ns else MS) - behind_ns
        spans.append(client_span(f"c{number}", began_ns, begin_ns + 2 * MS - behind_ns))
    rows = link(spans, columns(packets), contexts)
    assert [(row.packets, row.confidence) for row in rows] == [(2, 1.0)] * 3


@pytest.mark.parametrize(
    "packets",
    [
        pytest.param([*INTERIM[:3], replace(INTERIM[3], ts_ns=T + 500 * MS)], id="too late"),
        pytest.param([*INTERIM[:2], replace(INTERIM[3], ack=999)], id="no request"),
    ],
)
def test_what_is_not_answered_in_time_or_has_no_request_is_left_alone(
    packets: list[Packet],
) -> None:
    """It may be of a request that is not there, or of nobody who is."""
    (row,) = link([CALLER], columns(packets), [said("c1", T)])
    assert (row.packets, row.to_ns) == (2, T + 100 * MS)
