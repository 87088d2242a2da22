from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.core.times import NS_PER_MS
from packet.correlate.spans import link
from packet.correlate.wait_times import Piece, Stretch, WireTime, tile, wire_times
from packet.decode.columns import ACK, PSH, SYN
from tests.support.packet.build import CLIENT, SERVER, Packet, client_span, columns, server_span

T = 10_000_000


def up(at: int, seq: int, payload: int, flags: int = ACK, window: int = 512) -> Packet:
    """Return a packet of the client."""
    return Packet(T + at, CLIENT, SERVER, flags, seq=seq, ack=900, payload=payload, window=window)


def down(at: int, ack: int, payload: int, flags: int = ACK, window: int = 512) -> Packet:
    """Return a packet of the server."""
    return Packet(
        T + at, SERVER, CLIENT, flags, seq=900 + at, ack=ack, payload=payload, window=window
    )


def only(packets: list[Packet], end: int = 1_000) -> WireTime:
    """Return what the span of [0, end) waited for."""
    span = client_span("s1", T, T + end)
    captured = columns(packets)
    (wire_time,) = wire_times([span], link([span], captured), captured)
    return wire_time


def told(pieces: list[Piece]) -> list[tuple[str, int, int]]:
    """Return pieces with times from T."""
    return [(str(what), from_ns - T, to_ns - T) for what, from_ns, to_ns in pieces]


def test_exchange_is_cut_into_host_send_answer_and_receive() -> None:
    """Two segments out, two in; the round trip is the acknowledgement of the first."""
    got = only([up(10, 0, 100), up(15, 100, 100), down(40, 200, 0), down(500, 200, 50),
                down(520, 200, 50)])  # fmt: skip
    assert told(got.pieces) == [
        ("host", 0, 10), ("send", 10, 15), ("answer", 15, 500), ("receive", 500, 520),
        ("host", 520, 1_000),
    ]  # fmt: skip
    assert (got.rtt_ns, got.exchanges, got.outside_ns) == (25, 1, 0)


def test_wait_behind_session_tickets_is_a_wait_for_the_answer() -> None:
    """TLS 1.3 sends them behind the handshake, when the request is on its way: 1 ms is no think."""
    ms = NS_PER_MS
    got = only([
        up(0, 0, 500), down(ms, 500, 1_400, ACK | PSH), up(2 * ms, 500, 80),
        up(2 * ms + 1, 580, 150), down(3 * ms, 730, 510, ACK | PSH),
        down(303 * ms, 730, 60, ACK | PSH),
    ], end=304 * ms)  # fmt: skip
    assert told(got.pieces) == [
        ("answer", 0, ms), ("host", ms, 2 * ms), ("send", 2 * ms, 2 * ms + 1),
        ("answer", 2 * ms + 1, 303 * ms), ("host", 303 * ms, 304 * ms),
    ]  # fmt: skip
    assert (got.rtt_ns, got.exchanges) == (ms - 1, 2)


@pytest.mark.parametrize(
    ("flags", "payload", "wait_ns", "kind"),
    [
        (ACK | PSH, 500, 50 * NS_PER_MS, "answer"),
        (ACK, 500, 50 * NS_PER_MS, "receive"),  # more of the same write is to come
        (ACK | PSH, 1_448, 50 * NS_PER_MS, "receive"),  # filled up: what follows may be on its way
        (ACK | PSH, 500, NS_PER_MS // 2, "receive"),  # no longer than the network may take
    ],
)
def test_wait_within_a_response_is_the_servers_where_it_had_written_all(
    flags: int, payload: int, wait_ns: int, kind: str
) -> None:
    """As behind `103 Early Hints`, or a chunk of a stream."""
    begin, end = 100 + NS_PER_MS // 4, 100 + NS_PER_MS // 4 + wait_ns
    got = only([up(100, 0, 90), down(begin, 90, payload, flags), down(end, 90, 1_448)], end=end)
    assert told(got.pieces)[2:] in ([], [(kind, begin, end)])
    waited = sum(to - at for what, at, to in told(got.pieces) if what == "answer")
    assert waited == NS_PER_MS // 4 + (wait_ns if kind == "answer" else 0)


def test_connection_that_was_opened_for_it_has_its_handshake() -> None:
    """What lies between the handshake and the request is the host's again."""
    got = only([up(10, 0, 0, SYN), down(60, 1, 0, SYN | ACK), up(61, 1, 0), up(80, 1, 100),
                down(300, 101, 50)])  # fmt: skip
    assert told(got.pieces) == [
        ("host", 0, 10), ("handshake", 10, 60), ("host", 60, 80), ("answer", 80, 300),
        ("host", 300, 1_000),
    ]  # fmt: skip
    assert got.rtt_ns == 50


def test_segment_sent_again_and_window_without_room_lie_over_the_rest() -> None:
    """The stall of the one is no answer time, and its acknowledgement no round trip."""
    got = only([
        up(10, 0, 100), up(210, 0, 100), down(260, 100, 0, window=0), down(360, 100, 0),
        down(500, 100, 50),
    ])  # fmt: skip
    assert told(got.pieces) == [
        ("host", 0, 10), ("retransmission", 10, 210), ("answer", 210, 260),
        ("zero_window", 260, 360), ("answer", 360, 500), ("host", 500, 1_000),
    ]  # fmt: skip
    assert got.rtt_ns == 50


def test_exchanges_of_one_span_have_the_host_between_them() -> None:
    """Two requests in turn, each with its answer."""
    got = only([up(10, 0, 100), down(50, 100, 20), up(90, 100, 100), down(140, 200, 20)])
    assert told(got.pieces) == [
        ("host", 0, 10), ("answer", 10, 50), ("host", 50, 90), ("answer", 90, 140),
        ("host", 140, 1_000),
    ]  # fmt: skip
    assert got.exchanges == 2


def test_packets_outside_their_span_are_told_by_how_far() -> None:
    """A clock that is wrong, or a span that ends before its response: attribution judges."""
    got = only([up(10, 0, 100), down(1_400, 100, 20)])
    assert got.outside_ns == 400
    assert told(got.pieces)[-1] == ("answer", 10, 1_000)


def test_callee_and_doubtful_links_prove_nothing() -> None:
    """A server's span does not wait for the wire; of two callers nobody knows which it was."""
    captured = columns([up(10, 0, 100), down(500, 100, 50)])
    spans = [client_span("a", T, T + 600), client_span("b", T + 5, T + 700)]
    assert wire_times(spans, link(spans, captured), captured) == []
    callee = [server_span("c", T + 20, T + 400)]
    assert wire_times(callee, link(callee, captured), captured) == []


def _came(*segments: tuple[int, int]) -> list[Piece]:
    """Return the troubles of a response whose segments of 50 come at (time, number)."""
    wrap = 2**32 - 100
    packets = [up(10, 0, 100), down(35, 100, 0)]
    packets += [
        replace(down(at, 100, 50), seq=(wrap + 50 * number) % 2**32) for at, number in segments
    ]
    return [each for each in only(packets).pieces if each[0] is Stretch.RETRANSMISSION]


def test_hole_that_is_filled_after_a_round_trip_was_sent_again() -> None:
    """Lost on its way here it is seen once: late, and behind those that overtook it."""
    again = _came((100, 0), (110, 2), (120, 3), (200, 1), (210, 4))
    assert told(again) == [("retransmission", 110, 200)]
    assert told(_came((100, 0), (110, 3), (150, 2), (160, 1))) == [("retransmission", 110, 160)]


def test_hole_that_is_filled_at_once_was_overtaken() -> None:
    """Nobody could have heard of it so soon; and one that is never filled says nothing."""
    assert _came((100, 0), (110, 2), (120, 1), (130, 3)) == []
    assert _came((100, 0), (110, 2), (500, 3)) == []


@given(
    st.lists(
        st.tuples(st.sampled_from(list(Stretch)), st.integers(-20, 120), st.integers(0, 60)),
        max_size=8,
    ),
    st.integers(0, 100),
)
def test_pieces_tile_the_span_whatever_overlaps(
    drawn: list[tuple[Stretch, int, int]], length: int
) -> None:
    """Every nanosecond is in one piece, and neighbours differ."""
    found = [(what, begin, begin + width) for what, begin, width in drawn]
    troubles = [each for each in found if each[0] in (Stretch.RETRANSMISSION, Stretch.ZERO_WINDOW)]
    phases = [each for each in found if each not in troubles]
    pieces = tile(0, length, phases, troubles)
    assert sum(to_ns - from_ns for _, from_ns, to_ns in pieces) == length
    assert all(
        one[2] == other[1] and one[0] is not other[0] for one, other in itertools.pairwise(pieces)
    )
