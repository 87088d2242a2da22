"""Which bytes of a connection are missing, and which exchange they are of."""

from __future__ import annotations

import pytest

from collector.core.times import NS_PER_S
from packet.correlate.coverage import Drops, edges_of, tears_of
from tests.support.packet.build import CLIENT, SERVER, Packet, columns

_WRAP = 2**32


def _exchanges(first: int = 0) -> list[Packet]:
    """Return three exchanges of a request of one segment and an answer of two."""
    packets = []
    for number in range(3):
        at, asked, said = 100 * number, first + 50 * number, first + 200 * number
        packets += [
            Packet(at + 10, payload=50, seq=asked % _WRAP, ack=said % _WRAP),
            Packet(at + 20, SERVER, CLIENT, payload=100, seq=said % _WRAP,
                   ack=(asked + 50) % _WRAP),
            Packet(at + 21, SERVER, CLIENT, payload=100, seq=(said + 100) % _WRAP,
                   ack=(asked + 50) % _WRAP),
        ]  # fmt: skip
    return packets


@pytest.mark.parametrize("first", [0, _WRAP - 70, _WRAP // 2 - 30])
@pytest.mark.parametrize(("lost", "exchange"), [(3, 1), (4, 1), (5, 1), (2, 0), (7, 2)])
def test_lost_segment_is_of_its_own_exchange(first: int, lost: int, exchange: int) -> None:
    """Also where the numbers begin anew; it must not make another request look torn."""
    assert _torn(_exchanges(first)) == []
    packets = [packet for place, packet in enumerate(_exchanges(first)) if place != lost]
    assert _torn(packets) == [exchange]


def test_gap_over_two_exchanges_is_of_both() -> None:
    """The end of one answer and the begin of the next are missing at once."""
    packets = [packet for place, packet in enumerate(_exchanges()) if place not in (2, 4)]
    assert _torn(packets) == [0, 1]


def test_loss_at_the_edge_of_what_was_seen_leaves_no_gap() -> None:
    """Those places are counted: each may hide one."""
    whole = _exchanges()
    assert sorted(edges_of(columns(whole))) == [10, 20, 210, 221]
    for lost in (0, 1, 8):
        assert _torn([packet for place, packet in enumerate(whole) if place != lost]) == []


def _torn(packets: list[Packet]) -> list[int]:
    """Return the numbers of the exchanges that lack something."""
    found = tears_of(columns(packets), {CLIENT[1]})
    return [at // 100 for times in found.values() for at in times]


def test_what_was_sent_again_leaves_no_gap() -> None:
    """Segments may overtake each other, and come twice."""
    packets = _exchanges()
    packets[4], packets[5] = packets[5], packets[4]
    assert tears_of(columns([*packets, packets[4]]), {CLIENT[1]}) == {}


def test_drops_are_counted_where_they_were() -> None:
    """Of a day without a loss an incident with one is not as sure as the day; nor after a start."""
    drops = Drops()
    for seconds, seen, lost in ((1, 100, 0), (2, 200, 0), (3, 300, 7), (4, 50, 0), (5, 90, 1)):
        drops.note(seconds * NS_PER_S, seen, lost)
    assert drops.between(NS_PER_S + 1, 2 * NS_PER_S) == (100, 0)
    assert drops.between(2 * NS_PER_S + 1, 3 * NS_PER_S) == (100, 7)
    assert drops.between(3 * NS_PER_S, 5 * NS_PER_S) == (90, 1)
