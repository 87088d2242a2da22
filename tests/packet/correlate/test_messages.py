"""Packets that carry no part of a message: whose exchange they are, and how long it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.core.times import NS_PER_MS
from packet.correlate.claims import SLACK_NS, WINDOW_MARGIN_NS
from packet.correlate.messages import message_kinds, of_messages
from packet.correlate.spans import SpanFlow, link
from packet.correlate.trace_context import CONNECTION, HPACK, RESET, Context
from packet.correlate.wait_times import WireTime, wire_times
from tests.support.packet.build import CLIENT, SERVER, Packet, client_span, columns, server_span

T = 100 * SLACK_NS
FAR = 38 * NS_PER_MS  # behind the answer, as gRPC's server sent a ping
SPAN = client_span("c", T, T + 400_000)
REQUEST = Packet(T + 1_000, seq=0, ack=0, payload=100)
ANSWER = Packet(T + 300_000, SERVER, CLIENT, seq=0, ack=100, payload=60)


def up(at: int, seq: int, ack: int, payload: int) -> Packet:
    """Return a packet of the client, `at` ns from T."""
    return Packet(T + at, CLIENT, SERVER, seq=seq, ack=ack, payload=payload)


def down(at: int, seq: int, ack: int, payload: int) -> Packet:
    """Return a packet of the server."""
    return Packet(T + at, SERVER, CLIENT, seq=seq, ack=ack, payload=payload)


def of_connection(*packets: Packet, method: str = CONNECTION) -> list[Context]:
    """Return what is found in packets that are of their connection alone."""
    flow_hash = int(columns(packets).flow_hash[0])
    return [Context(p.ts_ns, flow_hash, p.src[1], p.dst[1], "", "", method) for p in packets]


def asked(packet: Packet, span_id: str = "c") -> Context:
    """Return what is found in a request of a span."""
    (found,) = of_connection(packet, method=HPACK)
    return replace(found, trace_id="t1", span_id=span_id)


def both(packets: Sequence[Packet], contexts: Sequence[Context]) -> tuple[SpanFlow, WireTime]:
    """Return the one link of the span and what it waited for."""
    captured = columns(packets)
    links = link([SPAN], captured, contexts)
    (row,), (waited,) = links, wire_times([SPAN], links, captured, contexts)
    return row, waited


def told(waited: WireTime) -> list[tuple[str, int, int]]:
    """Return the pieces of the span with times from T."""
    return [(str(what), from_ns - T, to_ns - T) for what, from_ns, to_ns in waited.pieces]


_ALONE = [("host", 0, 1_000), ("answer", 1_000, 300_000), ("host", 300_000, 400_000)]


@pytest.mark.parametrize("is_said", [True, False])
def test_ping_behind_the_answer_ends_no_exchange(is_said: bool) -> None:
    """The exchange ended with its stream: 0.3 ms, and not 38."""
    ping = replace(down(FAR, 60, 100, 17))
    pong = up(FAR + 500, 100, 77, 17)
    said = [asked(REQUEST)] if is_said else []
    row, waited = both([REQUEST, ANSWER, ping, pong], [*said, *of_connection(ping, pong)])
    assert (row.from_ns, row.to_ns, row.packets) == (REQUEST.ts_ns, ANSWER.ts_ns, 2)
    assert (row.wire_ns, row.confidence) == (299_000, 1.0)
    assert (told(waited), waited.outside_ns) == (_ALONE, 0)


def test_ping_between_request_and_answer_is_no_answer() -> None:
    """A server of gRPC measures the path as soon as data come, and the client replies."""
    ping, pong = down(50_000, 0, 100, 17), up(60_000, 100, 17, 17)
    answer = replace(ANSWER, seq=17, ack=117)
    row, waited = both([REQUEST, ping, pong, answer], [asked(REQUEST), *of_connection(ping, pong)])
    assert (row.to_ns, row.packets, row.wire_ns) == (ANSWER.ts_ns, 2, 299_000)
    assert told(waited) == _ALONE
    assert waited.exchanges == 1


def test_bytes_of_the_connection_that_are_missing_are_a_gap() -> None:
    """What acknowledges bytes that nobody saw answers a request that nobody saw."""
    pong = up(60_000, 100, 0, 17)
    contexts = of_connection(pong)
    assert both([REQUEST, pong, replace(ANSWER, ack=5_000)], contexts)[0].wire_ns is None
    assert both([REQUEST, pong, replace(ANSWER, ack=117)], contexts)[0].wire_ns == 299_000


def test_caller_that_gives_up_was_not_answered() -> None:
    """Its span waited until then; there is no wire time to a response."""
    reset = up(390_000, 100, 0, 13)
    row, waited = both([REQUEST, reset], of_connection(reset, method=RESET))
    assert (row.to_ns, row.wire_ns) == (reset.ts_ns, None)
    assert told(waited) == [
        ("host", 0, 1_000),
        ("answer", 1_000, 390_000),
        ("host", 390_000, 400_000),
    ]


def test_server_that_refuses_a_stream_has_answered() -> None:
    """RST_STREAM is all that comes."""
    reset = replace(ANSWER, payload=13)
    row, _ = both([REQUEST, reset], of_connection(reset, method=RESET))
    assert (row.to_ns, row.wire_ns) == (reset.ts_ns, 299_000)


@pytest.mark.parametrize("is_said", [True, False])
@pytest.mark.parametrize("clock_ns", [0, -20 * NS_PER_MS])
def test_what_comes_when_the_span_is_over_is_not_of_it(is_said: bool, clock_ns: int) -> None:
    """An alert that closes TLS, a push of Redis, a farewell of HTTP/1.1: nobody reads them."""
    if clock_ns and not is_said:
        return  # time alone finds no other clock's span
    stray = down(FAR, 60, 100, 31)
    captured = columns([REQUEST, ANSWER, stray])
    span = replace(SPAN, start_ns=SPAN.start_ns + clock_ns, end_ns=SPAN.end_ns + clock_ns)
    (row,) = link([span], captured, [asked(REQUEST)] if is_said else [])
    assert (row.to_ns, row.packets, row.wire_ns) == (ANSWER.ts_ns, 2, 299_000)
    if not clock_ns:
        (waited,) = wire_times([span], [row], captured)
        assert (told(waited), waited.outside_ns) == (_ALONE, 0)


def test_what_a_clock_may_be_wrong_by_is_not_outside() -> None:
    """A clock that says it is wrong by 40 ms at the most has no packet 38 ms too late."""
    captured = columns([REQUEST, ANSWER, down(FAR, 60, 100, 31)])
    (row,) = link([replace(SPAN, clock_error_ns=40 * NS_PER_MS)], captured)
    assert (row.to_ns, row.packets) == (T + FAR, 3)


def test_answer_that_comes_too_late_was_waited_for_and_is_not_counted() -> None:
    """A caller that timed out: until then it waited for the wire, and it never got an answer."""
    late = replace(ANSWER, ts_ns=T + FAR)
    row, waited = both([REQUEST, late], [])
    assert (row.to_ns, row.packets, row.wire_ns) == (REQUEST.ts_ns, 1, None)
    assert told(waited) == [("host", 0, 1_000), ("answer", 1_000, 400_000)]
    assert waited.outside_ns == FAR - 400_000


def test_answer_to_a_request_that_was_not_kept_is_nobodys() -> None:
    """The next packet that was kept is 300 ms later, and of another call."""
    later = down(300 * NS_PER_MS, 9_000, 5_000, 60)
    row, waited = both([REQUEST, later], [])
    assert (row.packets, row.wire_ns, waited.outside_ns) == (1, None, 0)
    assert told(waited) == [("host", 0, 400_000)]


def test_span_that_answers_has_what_it_sent_and_nothing_later() -> None:
    """Its response leaves when it is over; what comes 100 ms later is another thing."""
    callee = server_span("s", T + 20_000, T + 290_000)
    captured = columns([REQUEST, ANSWER, down(2 * WINDOW_MARGIN_NS, 60, 100, 31)])
    (row,) = link([callee], captured)
    assert (row.to_ns, row.packets, row.wire_ns) == (ANSWER.ts_ns, 2, 299_000)


def test_probe_of_an_idle_connection_is_no_message() -> None:
    """Some stacks send the last byte again, to hear whether the other end is there."""
    probes = [up(200_000 + at, 99, 0, 1) for at in (0, 50_000)]
    row, _ = both([REQUEST, *probes, ANSWER], [])
    assert (row.packets, row.wire_ns) == (2, 299_000)
    assert len(of_messages(columns([*probes, REQUEST]), [])) == 2


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from([0, 1, 17])), max_size=20),
    st.integers(0, 2**32 - 1),
    st.data(),
)
def test_marked_packets_are_of_no_message_and_no_others(
    sent: list[tuple[bool, int]], base: int, data: st.DataObject
) -> None:
    """Each byte is sent once here, so that nothing is a probe; numbers wrap."""
    sides = {True: base, False: base}
    packets = []
    for index, (is_up, payload) in enumerate(sent):
        make = up if is_up else down
        packets.append(make(index, sides[is_up], sides[not is_up], payload))
        sides[is_up] = (sides[is_up] + payload) % 2**32
    marked = [packet for packet in packets if packet.payload and data.draw(st.booleans())]
    methods = [data.draw(st.sampled_from([CONNECTION, RESET])) for _ in marked]
    contexts = [
        context
        for packet, method in zip(marked, methods, strict=True)
        for context in of_connection(packet, method=method)
    ]
    own = {p.ts_ns for p, method in zip(marked, methods, strict=True) if method == CONNECTION}
    ends = {p.ts_ns for p, method in zip(marked, methods, strict=True) if method == RESET}
    is_message, is_reset = message_kinds(columns(packets), contexts)
    assert is_message.tolist() == [bool(p.payload) and p.ts_ns not in own for p in packets]
    assert is_reset.tolist() == [p.ts_ns in ends for p in packets]
