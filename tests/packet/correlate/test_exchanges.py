"""Exchanges of connections of which only a part is kept."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from packet.correlate.claims import WINDOW_MARGIN_NS
from packet.correlate.spans import SpanFlow, link
from tests.support.packet.build import CLIENT, SERVER, Packet, client_span, columns

REQUEST, RESPONSE = 100, 1_000  # bytes
T = 10 * WINDOW_MARGIN_NS
APART_NS = 1_000


def serial(count: int, seq: int = 0, ack: int = 0) -> list[list[Packet]]:
    """Return exchanges of one connection, a request and a response of two packets each."""
    found = []
    for index in range(count):
        began_ns = T + index * APART_NS
        asked = (seq + index * REQUEST) % 2**32
        told = (ack + index * 2 * RESPONSE) % 2**32
        after, more = (asked + REQUEST) % 2**32, (told + RESPONSE) % 2**32
        found.append(
            [
                Packet(began_ns, CLIENT, SERVER, seq=asked, ack=told, payload=REQUEST),
                Packet(began_ns + 500, SERVER, CLIENT, seq=told, ack=after, payload=RESPONSE),
                Packet(began_ns + 501, SERVER, CLIENT, seq=more, ack=after, payload=RESPONSE),
            ]
        )
    return found


def linked(packets: Sequence[Packet], at: int) -> SpanFlow | None:
    """Return the link of the span of exchange `at`."""
    span = client_span("s", T + at * APART_NS - 5, T + at * APART_NS + 600)
    rows = link([span], columns(sorted(packets, key=lambda packet: packet.ts_ns)))
    return rows[0] if rows else None


def test_request_whose_response_was_not_kept_takes_no_part_in_the_next() -> None:
    """What is kept ends some milliseconds after a span, in the middle of somebody else's wait."""
    first, second = serial(2)
    found = linked([first[0], *second], 1)
    assert found is not None
    assert (found.from_ns, found.packets, found.wire_ns) == (T + APART_NS, 3, 500)


def test_response_to_a_request_that_was_not_kept_answers_no_other() -> None:
    """A wire time from one request to the answer of another would be evidence of nothing."""
    first, second = serial(2)
    found = linked([first[0], *second[1:]], 0)
    assert found is not None
    assert (found.packets, found.wire_ns) == (1, None)


def test_response_that_lost_a_segment_is_still_the_response() -> None:
    """A recorder that missed bytes of a response has seen the first byte of what is left."""
    ((request, _, rest),) = serial(1)
    found = linked([request, rest], 0)
    assert found is not None
    assert (found.packets, found.wire_ns) == (2, 501)


def test_request_of_several_segments_is_one_request() -> None:
    """None of them acknowledges anything new; sent again it is still the same."""
    ((request, *response),) = serial(1)
    again = Packet(T + 10, CLIENT, SERVER, seq=0, ack=0, payload=REQUEST)
    found = linked([request, again, *response], 0)
    assert found is not None
    assert (found.packets, found.wire_ns) == (4, 490)


@given(data=st.data(), seq=st.integers(0, 2**32 - 1), ack=st.integers(0, 2**32 - 1))
def test_link_rests_on_its_own_exchange_whatever_is_kept_of_others(
    data: st.DataObject, seq: int, ack: int
) -> None:
    """Numbers of TCP begin anywhere, and end at 32 bits."""
    exchanges = serial(5, seq, ack)
    at = data.draw(st.integers(0, 4))
    others = [packet for place, each in enumerate(exchanges) if place != at for packet in each]
    kept = data.draw(st.lists(st.sampled_from(others), unique_by=id))
    found = linked([*exchanges[at], *kept], at)
    assert found is not None
    assert (found.from_ns, found.to_ns) == (T + at * APART_NS, T + at * APART_NS + 501)
    assert (found.packets, found.wire_ns) == (3, 500)
