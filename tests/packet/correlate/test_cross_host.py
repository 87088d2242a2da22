from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from collector.core.clock import SystemClock
from collector.core.config import AttributesConfig
from collector.core.times import NS_PER_MINUTE, NS_PER_MS, NS_PER_S
from collector.store.connect import Connections
from packet.correlate.cross_host import SEQ, links_elsewhere
from packet.correlate.spans import SpanFlow, link
from packet.jobs.cross_host import SeqJob
from packet.store.reader import Reader
from packet.store.writer import Writer
from tests.support.packet.build import CLIENT, SERVER, Packet, client_span, columns

_T = 1_000 * NS_PER_MS
_OUTSIDE, _INSIDE = ("203.0.113.9", 61_000), ("10.1.0.7", 9090)  # behind a published port


def _exchange(seq: int, ack: int, at_ns: int) -> list[Packet]:
    """Return a request of two segments and its response, as the caller's host sees it."""
    return [
        Packet(at_ns, CLIENT, SERVER, seq=seq, ack=ack, payload=1_000),
        Packet(at_ns + 1, CLIENT, SERVER, seq=(seq + 1_000) % 2**32, ack=ack, payload=200),
        Packet(at_ns + 500, SERVER, CLIENT, seq=ack, ack=(seq + 1_200) % 2**32, payload=900),
    ]


def _translated(packets: list[Packet], later_ns: int) -> list[Packet]:
    """Return the same segments behind an address translation, with another clock."""
    ends = {CLIENT: _OUTSIDE, SERVER: _INSIDE}
    return [
        replace(each, src=ends[each.src], dst=ends[each.dst], ts_ns=each.ts_ns + later_ns)
        for each in packets
    ]


def _link(packets: list[Packet]) -> SpanFlow:
    (row,) = link([client_span("s1", packets[0].ts_ns, packets[0].ts_ns + 600)], columns(packets))
    return row


def _job(store: Connections) -> SeqJob:
    return SeqJob(store, Reader(store, AttributesConfig()), Writer(store), 120 * NS_PER_S)


def test_exchange_behind_a_published_port_is_the_same_exchange() -> None:
    """Other addresses and ports, another clock, merged segments: the numbers are the same."""
    here = _exchange(1_000, 7_000, _T)
    there = _translated(here, 3 * NS_PER_MS)
    there = [replace(there[0], payload=1_200), there[2]]  # merged by the receiver's card
    (row,) = links_elsewhere([_link(here)], columns(here), columns(there))
    assert (row.method, row.confidence) == (SEQ, 1.0)
    assert row.flow_hash == columns(there).flow_hash[0] != columns(here).flow_hash[0]
    assert (row.from_ns, row.wire_ns, row.packets) == (there[0].ts_ns, 500, 2)
    assert (row.trace_id, row.span_id, row.decision_id) == ("t1", "s1", "d1")


def test_connection_of_the_same_name_is_linked_already() -> None:
    """Without translation both hosts see one connection, and one row says so."""
    here = _exchange(1_000, 7_000, _T)
    assert links_elsewhere([_link(here)], columns(here), columns(here)) == []


def test_request_alone_is_less_sure_and_another_answer_is_another_exchange() -> None:
    """A recorder may have missed the response; one that has other numbers is of somebody else."""
    here = _exchange(1_000, 7_000, _T)
    there = _translated(here, 0)
    (row,) = links_elsewhere([_link(here)], columns(here), columns(there[:2]))
    assert (row.confidence, row.wire_ns) == (0.9, None)
    other = [*there[:2], replace(there[2], ack=5)]
    assert links_elsewhere([_link(here)], columns(here), columns(other)) == []
    much_later = _translated(here, 11 * NS_PER_S)
    assert links_elsewhere([_link(here)], columns(here), columns(much_later)) == []


@given(
    st.lists(
        st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
        min_size=1,
        max_size=8,
        unique=True,
    ),
    st.integers(0, 3 * NS_PER_MS),
)
def test_only_the_same_numbers_join(numbers: list[tuple[int, int]], later_ns: int) -> None:
    """Of many exchanges, each is joined to its own; sequence numbers may wrap."""
    theirs = [
        [
            replace(
                each, src=(each.src[0], each.src[1] + place), dst=(each.dst[0], each.dst[1] + place)
            )
            for each in _translated(_exchange(seq, ack, _T + place), later_ns)
        ]
        for place, (seq, ack) in enumerate(numbers)
    ]
    there = columns([packet for group in theirs for packet in group])
    for place, (seq, ack) in enumerate(numbers):
        here = _exchange(seq, ack, _T + place)
        rows = links_elsewhere([_link(here)], columns(here), there)
        assert [row.flow_hash for row in rows] == [int(columns(theirs[place]).flow_hash[0])]
        assert rows[0].packets == 3


def test_job_joins_what_two_hosts_kept(store: Connections) -> None:
    """From the rows of two recorders to one more row a span, and no other on a rerun."""
    minute = (SystemClock().now_ns() // NS_PER_MINUTE - 5) * NS_PER_MINUTE
    here = _exchange(1_000, 7_000, minute + NS_PER_S)
    there = _translated(here, 2 * NS_PER_MS)
    for host, packets in (("web", here), ("app", there)):
        Writer(store, host=host).packets(columns(packets), "sample", "")
    Writer(store, host="web").span_flows([_link(here)], minute)
    job = _job(store)
    assert job.run_once(minute + 30 * NS_PER_S) == 0
    assert job.run_once(minute + 3 * NS_PER_MINUTE) == 1
    assert job.run_once(minute + 3 * NS_PER_MINUTE) == 0
    query = (
        "SELECT toString(method), flow_hash, toString(host) FROM span_flows FINAL ORDER BY method"
    )
    assert store.client().query(query).result_rows == [
        ("seq", int(columns(there).flow_hash[0]), "app"),
        ("tuple+time", int(columns(here).flow_hash[0]), "web"),
    ]


def test_what_an_alert_has_kept_later_is_joined_as_well(store: Connections) -> None:
    """A recorder remembers two minutes: by the time it is asked, its minute was looked at."""
    minute = (SystemClock().now_ns() // NS_PER_MINUTE - 5) * NS_PER_MINUTE
    here = _exchange(1_000, 7_000, minute + NS_PER_S)
    job = _job(store)
    assert job.run_once(minute + NS_PER_MINUTE + 16 * NS_PER_S) == 0
    for host, packets in (("web", here), ("app", _translated(here, 2 * NS_PER_MS))):
        Writer(store, host=host).packets(columns(packets), "alert", "e/1")
    Writer(store, host="web").span_flows([_link(here)], minute)
    looks = [job.run_once(minute + nth * NS_PER_MINUTE + 16 * NS_PER_S) for nth in range(2, 7)]
    assert looks == [1, 1, 1, 0, 0]
    query = "SELECT count() FROM span_flows FINAL WHERE method = 'seq'"
    assert store.client().query(query).result_rows == [(1,)]


def test_link_is_sought_among_the_packets_of_its_own_recorder(store: Connections) -> None:
    """By another host's clock its time is the time of another exchange, whose numbers differ."""
    minute = (SystemClock().now_ns() // NS_PER_MINUTE - 5) * NS_PER_MINUTE
    at_ns = minute + NS_PER_S
    here, next_one = _exchange(1_000, 7_000, at_ns), _exchange(50_000, 60_000, at_ns)
    there = _translated(here, 2 * NS_PER_MS)
    # "web-2" saw the same connection; its clock is so wrong that another exchange has this time.
    for host, packets in (("web", here), ("web-2", next_one), ("app", there)):
        Writer(store, host=host).packets(columns(packets), "sample", "")
    Writer(store, host="app").packets(columns(_translated(next_one, 0)), "sample", "")
    Writer(store, host="web").span_flows([_link(here)], minute)
    _job(store).run_once(minute + 3 * NS_PER_MINUTE)
    query = "SELECT from_ns, packets FROM span_flows FINAL WHERE method = 'seq'"
    assert store.client().query(query).result_rows == [(at_ns + 2 * NS_PER_MS, 3)]
