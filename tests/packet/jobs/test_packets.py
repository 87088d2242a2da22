from __future__ import annotations

import socket
from dataclasses import replace
from typing import Any

import pytest

from collector.core.clock import SystemClock
from collector.core.config import AttributesConfig
from collector.core.times import NS_PER_MS, NS_PER_S
from collector.store.connect import Connections
from packet.capture.recorder import Recorder
from packet.config import PacketConfig
from packet.correlate.spans import PORTS_AND_TIME, TUPLE_AND_TIME
from packet.decode.columns import SYN
from packet.jobs.packets import PacketJob
from packet.jobs.requests import LATE_NS
from packet.tcp.per_second import WireSecond
from tests.support.packet.build import CLIENT, SERVER, Packet, exchange
from tests.support.packet.seed import (
    HeldFrames,
    LostRecorder,
    Span,
    frames,
    insert_request,
    insert_spans,
)
from tests.support.packet.traffic import echo_server, recorder

_CLOCK = SystemClock()
_MS = NS_PER_MS
# What the store keeps expires by the machine's own clock, so a test's time is near it.
_T = (_CLOCK.now_ns() // NS_PER_S - 600) * NS_PER_S
_SECOND = WireSecond(_T, 1_000, 100_000, 5, 4_000, 3_000, None, None, 0, 0, (), (), 0)

_PACKETS = "SELECT * FROM packets FINAL ORDER BY ts_ns, src_port, tcp_seq"
_FLOWS = "SELECT * EXCEPT version FROM flows FINAL ORDER BY first_ns, flow_hash"
_LINKS = "SELECT * EXCEPT linked_ns FROM span_flows FINAL ORDER BY trace_id, span_id, flow_hash"


def _rows(store: Connections, query: str) -> list[dict[str, Any]]:
    return list(store.client().query(query).named_results())


def _job(store: Connections, held: Recorder | None, **settings: Any) -> PacketJob:  # noqa: ANN401 - values of any setting
    return PacketJob(PacketConfig(**settings), AttributesConfig(), store, held)


def _ports(local: int, peer: int) -> dict[str, str]:
    return {
        "network.local.port": str(local),
        "network.peer.address": "127.0.0.1",
        "network.peer.port": str(peer),
    }


def _decision(trace_id: str, start_ns: int, end_ns: int, region: str = "eu") -> Span:
    attributes = {"decision.action": "price", "decision.region": region}
    return Span(trace_id, f"root{trace_id}", start_ns, end_ns, attributes, kind="Server")


def _call(trace_id: str, span_id: str, start_ns: int, end_ns: int) -> Span:
    return Span(trace_id, span_id, start_ns, end_ns, _ports(CLIENT[1], SERVER[1]))


def _timed_rounds(port: int, rounds: int) -> tuple[int, list[tuple[int, int]]]:
    """Exchange 100 bytes for 100 on one connection; return its port and when each round was."""
    times = []
    with socket.create_connection(("127.0.0.1", port)) as client:
        for _ in range(rounds):
            start_ns = _CLOCK.now_ns()
            client.sendall(b"s" * 100)
            left = 100
            while left:
                left -= len(client.recv(left))
            times.append((start_ns, _CLOCK.now_ns()))
        return int(client.getsockname()[1]), times


@pytest.mark.integration
@pytest.mark.alone
def test_recorded_traffic_is_kept_and_linked_to_the_spans_it_carried(store: Connections) -> None:
    """From the wire to the rows: each value of each table, and the same rows on a rerun."""
    with echo_server() as port, recorder(PacketConfig(ports=(port,))) as process:
        local, times = _timed_rounds(port, rounds=3)
        spans = [_decision("t1", times[0][0] - 1, times[-1][1] + 1)]
        spans += [
            Span("t1", f"s{place}", start_ns, end_ns, _ports(local, port))
            for place, (start_ns, end_ns) in enumerate(times)
        ]
        insert_spans(store, spans)
        now_ns = _CLOCK.now_ns()
        job = _job(store, process, sample_ratio=1.0, settle_s=0.0)
        report = job.run_once(now_ns)

        packets = _rows(store, _PACKETS)
        assert report.sampled == len(packets) >= 10
        assert {row["kept_for"] for row in packets} == {"sample"}
        assert {(row["src_address"], row["dst_address"]) for row in packets} == {
            ("127.0.0.1", "127.0.0.1")
        }
        assert sum(row["payload_bytes"] for row in packets) == 600
        (flow,) = _rows(store, _FLOWS)
        assert (flow["client_port"], flow["server_port"]) == (local, port)
        assert flow["packets"] == len(packets)
        assert flow["wire_bytes"] == sum(row["wire_bytes"] for row in packets)
        assert 0 < flow["handshake_rtt_ns"] < times[0][1] - flow["first_ns"]
        assert flow["retransmissions"] == flow["zero_windows"] == 0
        links = _rows(store, _LINKS)
        assert report.linked == len(links) == 3
        for row, (start_ns, end_ns) in zip(links, times, strict=True):
            assert (row["decision_id"], row["flow_hash"]) == ("t1", flow["flow_hash"])
            assert start_ns <= row["from_ns"] < row["to_ns"] <= end_ns
            assert row["packets"] == 2
            assert row["wire_ns"] == row["to_ns"] - row["from_ns"]
            assert (row["method"], row["confidence"]) == (TUPLE_AND_TIME, 1.0)

        store.client().command("TRUNCATE TABLE job_cursors")
        _job(store, process, sample_ratio=1.0, settle_s=0.0).run_once(now_ns)
        assert _rows(store, _PACKETS) == packets
        assert _rows(store, _FLOWS) == [flow]
        assert _rows(store, _LINKS) == links


@pytest.mark.integration
@pytest.mark.alone
def test_alert_keeps_the_connections_of_its_decisions_only(store: Connections) -> None:
    """At a sample of nothing, what is kept is what the alert names."""
    with (
        echo_server() as slow,
        echo_server() as other,
        recorder(PacketConfig(ports=(slow, other))) as process,
    ):
        slow_local, slow_times = _timed_rounds(slow, rounds=2)
        other_local, other_times = _timed_rounds(other, rounds=2)
        for trace_id, region, local, port, times in (
            ("t1", "eu", slow_local, slow, slow_times),
            ("t2", "us", other_local, other, other_times),
        ):
            insert_spans(
                store,
                [
                    _decision(trace_id, times[0][0], times[-1][1], region),
                    Span(trace_id, "s1", times[0][0], times[-1][1], _ports(local, port)),
                ],
            )
        now_ns = _CLOCK.now_ns()
        insert_request(store, "episode/1", slow_times[0][0] - 1, now_ns, region="eu")
        job = _job(store, process, sample_ratio=0.0, settle_s=0.0)
        report = job.run_once(now_ns)
        packets = _rows(store, _PACKETS)
        assert (report.sampled, report.captured) == (0, len(packets))
        assert {row["src_port"] for row in packets} == {slow_local, slow}
        assert {(row["kept_for"], row["trigger_id"]) for row in packets} == {("alert", "episode/1")}
        (link,) = _rows(store, _LINKS)
        assert (link["trace_id"], link["packets"], link["wire_ns"] > 0) == ("t1", 4, True)


def test_pooled_connection_gives_an_alert_its_own_exchanges_only(store: Connections) -> None:
    """One connection carries many decisions: the others are no evidence for this one."""
    before, after = exchange(_T, _T + 5 * _MS), exchange(_T + 900 * _MS, _T + 905 * _MS)
    mine = exchange(_T + 400 * _MS, _T + 450 * _MS)
    held = HeldFrames(frames([*before, *mine, *after]))
    insert_spans(
        store,
        [
            _decision("t1", _T + 390 * _MS, _T + 460 * _MS),
            _call("t1", "s1", _T + 399 * _MS, _T + 452 * _MS),
            _call("t2", "s2", _T + 899 * _MS, _T + 906 * _MS),
        ],
    )
    insert_request(store, "e/1", _T, _T + NS_PER_S)
    job = _job(store, held, sample_ratio=0.0)
    report = job.run_once(_T + 4 * NS_PER_S)
    assert (report.captured, report.open_requests) == (3, 1)
    assert [row["ts_ns"] for row in _rows(store, _PACKETS)] == [packet.ts_ns for packet in mine]
    assert [(row["span_id"], row["wire_ns"]) for row in _rows(store, _LINKS)] == [("s1", 50 * _MS)]


def test_decision_that_arrives_late_is_captured_before_its_alert_is_closed(
    store: Connections,
) -> None:
    """Exporters send a batch every 5 s, and an incident makes them slower."""
    held = HeldFrames(frames(exchange(_T + 10 * _MS, _T + 20 * _MS)))
    insert_request(store, "e/1", _T, _T + NS_PER_S)
    job = _job(store, held, sample_ratio=0.0, settle_s=1.0)
    assert job.run_once(_T + 3 * NS_PER_S).open_requests == 1
    late_ns = _T + 6 * NS_PER_S
    decision = _decision("t1", _T, _T + 30 * _MS)
    call = _call("t1", "s1", _T + 5 * _MS, _T + 25 * _MS)
    insert_spans(
        store,
        [
            Span(s.trace_id, s.span_id, s.start_ns, s.end_ns, s.attributes, s.kind, late_ns)
            for s in (decision, call)
        ],
    )
    report = job.run_once(_T + NS_PER_S + LATE_NS + NS_PER_S)
    assert (report.captured, report.open_requests, report.linked) == (3, 0, 1)
    assert job.run_once(_T + 60 * NS_PER_S).captured == 0


def test_alert_of_too_many_connections_takes_the_slowest_decisions(store: Connections) -> None:
    """A limit protects the store, and what it refused is counted."""
    packets: list[Packet] = []
    for place in range(3):
        client = (CLIENT[0], CLIENT[1] + place)
        start_ns = _T + place * 100 * _MS
        end_ns = start_ns + (10 + place) * _MS
        packets += exchange(start_ns + _MS, start_ns + 2 * _MS, client)
        trace_id = f"t{place}"
        call = Span(trace_id, "s1", start_ns, end_ns, _ports(client[1], SERVER[1]))
        insert_spans(store, [_decision(trace_id, start_ns, end_ns), call])
    insert_request(store, "e/1", _T, _T + NS_PER_S)
    job = _job(store, HeldFrames(frames(packets)), sample_ratio=0.0, capture_flows_max=2)
    now_ns = _T + NS_PER_S + LATE_NS + 2 * NS_PER_S
    assert job.run_once(now_ns).captured == 6
    ports = {row["src_port"] for row in _rows(store, _PACKETS)}
    assert ports == {SERVER[1], CLIENT[1] + 1, CLIENT[1] + 2}


def test_flow_that_an_alert_begins_earlier_stays_one_row(store: Connections) -> None:
    """The sample saw the end of a connection first; its beginning makes it longer, not two."""
    start = [Packet(_T, flags=SYN, seq=9), *exchange(_T + 10 * _MS, _T + 20 * _MS)]
    end = exchange(_T + 30 * NS_PER_S, _T + 30 * NS_PER_S + 10 * _MS)
    client = store.client()
    _job(store, HeldFrames(frames(end)), sample_ratio=1.0).run_once(_T + 40 * NS_PER_S)
    assert [row["first_ns"] for row in _rows(store, _FLOWS)] == [_T + 30 * NS_PER_S]
    client.command("TRUNCATE TABLE job_cursors")
    _job(store, HeldFrames(frames(start)), sample_ratio=1.0).run_once(_T + 40 * NS_PER_S)
    (flow,) = _rows(store, _FLOWS)
    assert (flow["first_ns"], flow["last_ns"]) == (_T, end[-1].ts_ns)
    assert flow["packets"] == len(start) + len(end)


def test_sample_goes_on_where_it_stopped(store: Connections) -> None:
    """Nothing is pulled twice and nothing is left out between two runs."""
    held = HeldFrames(frames([Packet(_T + place * NS_PER_S) for place in range(6)]))
    job = _job(store, held, sample_ratio=1.0, settle_s=1.0)
    assert job.run_once(_T + 3 * NS_PER_S).sampled == 2
    assert job.run_once(_T + 3 * NS_PER_S).sampled == 0
    assert job.run_once(_T + 9 * NS_PER_S).sampled == 4
    (flow,) = _rows(store, _FLOWS)
    assert (flow["first_ns"], flow["packets"]) == (_T, 6)


def test_clock_that_is_set_back_does_not_stop_what_is_kept(store: Connections) -> None:
    """Until it had caught up nothing was sampled, and no second counted; nor after a restart."""

    def held(at_ns: int) -> HeldFrames:
        packets = [Packet(at_ns + place * NS_PER_S) for place in range(6)]
        return HeldFrames(frames(packets), [replace(_SECOND, second_ns=at_ns + 4 * NS_PER_S)])

    _job(store, held(_T + 3600 * NS_PER_S), sample_ratio=1.0).run_once(_T + 3610 * NS_PER_S)
    for place in range(2):  # the second is another process
        began_ns = _T + place * 20 * NS_PER_S
        job = _job(store, held(began_ns), sample_ratio=1.0)
        assert [job.run_once(began_ns + at * NS_PER_S).sampled for at in (1, 3, 9)] == [0, 1, 5]
    seconds = store.client().query("SELECT second_ns FROM wire_seconds FINAL ORDER BY second_ns")
    assert [(row[0] - _T) // NS_PER_S for row in seconds.result_rows] == [4, 24, 3604]


def test_span_that_a_store_behind_takes_late_is_linked(store: Connections) -> None:
    """Where the caller says how far the store has come, spans are not passed by."""
    held = HeldFrames(frames(exchange(_T + 10 * _MS, _T + 20 * _MS)))
    job = _job(store, held, sample_ratio=1.0, settle_s=1.0)
    late_ns = _T + 2 * LATE_NS
    assert job.run_once(late_ns, stored_ns=_T).sampled > 0
    insert_spans(store, [_call("t1", "s1", _T + 9 * _MS, _T + 21 * _MS)])

    assert job.run_once(late_ns + NS_PER_S, stored_ns=late_ns).linked == 1


def test_spans_are_linked_once_unless_a_batch_comes_late(store: Connections) -> None:
    """What was linked is left alone; a batch that is stored behind a later one is not missed."""
    packets = [*exchange(_T + 10 * _MS, _T + 20 * _MS), *exchange(_T + 210 * _MS, _T + 220 * _MS)]
    job = _job(store, HeldFrames(frames(packets)), sample_ratio=1.0, settle_s=1.0)
    insert_spans(store, [_call("t1", "s1", _T + 9 * _MS, _T + 21 * _MS)])
    assert job.run_once(_T + 3 * NS_PER_S).linked == 1
    assert job.run_once(_T + 4 * NS_PER_S).linked == 0
    late = _call("t2", "s2", _T + 209 * _MS, _T + 221 * _MS)
    insert_spans(store, [replace(late, received_ns=_T + NS_PER_S)])

    assert job.run_once(_T + 5 * NS_PER_S).linked == 2
    assert job.run_once(_T + 6 * NS_PER_S).linked == 0


def test_where_nothing_was_received_the_store_is_asked_now_and_then(store: Connections) -> None:
    """What the caller knows of is linked at once; what another process stored in ten seconds."""
    packets = [*exchange(_T + 10 * _MS, _T + 20 * _MS), *exchange(_T + 210 * _MS, _T + 220 * _MS)]
    job = _job(store, HeldFrames(frames(packets)), sample_ratio=1.0, settle_s=1.0)

    def run(at_s: int, newest_ns: int) -> int:
        now_ns = _T + at_s * NS_PER_S
        return job.run_once(now_ns, stored_ns=now_ns, newest_ns=newest_ns).linked

    insert_spans(store, [_call("t1", "s1", _T + 9 * _MS, _T + 21 * _MS)])
    assert run(3, newest_ns=_T + 21 * _MS) == 1
    elsewhere = _call("t2", "s2", _T + 209 * _MS, _T + 221 * _MS)
    insert_spans(store, [replace(elsewhere, received_ns=_T + 3 * NS_PER_S)])
    assert run(5, newest_ns=_T + 21 * _MS) == 0
    assert run(13, newest_ns=_T + 21 * _MS) == 1

    own = _call("t3", "s3", _T + 209 * _MS, _T + 222 * _MS)
    insert_spans(store, [replace(own, received_ns=_T + 13 * NS_PER_S)])
    assert run(15, newest_ns=_T + 13 * NS_PER_S) >= 1


# Kind, attributes without the client's port, and the name under which that port is sent.
_CONVENTIONS = [
    # A name for an address.
    ("Client", {"server.address": "localhost", "server.port": "8080"}, "network.local.port"),
    # Names before conventions 1.21.
    ("Client", {"net.peer.ip": "127.0.0.1", "net.peer.port": "8080"}, "network.local.port"),
    # The side that answers.
    ("Server", {"network.local.port": "8080", "client.address": "127.0.0.1"}, "client.port"),
    # A customer's own name, and IPv4 as a socket for both families spells it.
    ("Client", {"server.address": "::ffff:127.0.0.1", "network.peer.port": "8080"}, "our.port"),
]


def test_endpoints_are_read_from_what_instrumentations_send(store: Connections) -> None:
    """Conventions changed, and instrumentations follow years apart."""
    packets: list[Packet] = []
    spans = []
    for place, (kind, attributes, port_name) in enumerate(_CONVENTIONS):
        client = (CLIENT[0], CLIENT[1] + place)
        packets += exchange(_T + 10 * _MS, _T + 20 * _MS, client)
        named = {**attributes, port_name: str(client[1])}
        spans.append(Span(f"t{place}", "s1", _T + 9 * _MS, _T + 21 * _MS, named, kind))
    insert_spans(store, [*spans, _decision("t2", _T, _T + 30 * _MS)])
    names = AttributesConfig(map={"network.local.port": "our.port"})
    held = HeldFrames(frames(packets))
    PacketJob(PacketConfig(sample_ratio=1.0), names, store, held).run_once(_T + 9 * NS_PER_S)
    links = _rows(store, _LINKS)
    assert [(row["trace_id"], row["decision_id"], row["method"]) for row in links] == [
        ("t0", "", PORTS_AND_TIME),
        ("t1", "", TUPLE_AND_TIME),
        ("t2", "t2", TUPLE_AND_TIME),
        ("t3", "", TUPLE_AND_TIME),
    ]
    assert [row["wire_ns"] for row in links] == [10 * _MS] * 4


def test_span_belongs_to_the_last_decision_that_began_before_it(store: Connections) -> None:
    """One trace may carry several decisions."""
    held = HeldFrames(frames(exchange(_T + 110 * _MS, _T + 120 * _MS)))
    first, second = (
        _decision("t1", _T, _T + 50 * _MS),
        _decision("t1", _T + 100 * _MS, _T + 150 * _MS),
    )
    roots = [
        Span("t1", f"r{name}", s.start_ns, s.end_ns, {**s.attributes, "decision.id": name}, s.kind)
        for name, s in (("first", first), ("second", second))
    ]
    insert_spans(store, [*roots, _call("t1", "s1", _T + 109 * _MS, _T + 121 * _MS)])
    _job(store, held, sample_ratio=1.0).run_once(_T + 9 * NS_PER_S)
    assert [row["decision_id"] for row in _rows(store, _LINKS)] == ["second"]


def test_spans_are_linked_to_what_was_kept_after_the_recorder_is_gone(store: Connections) -> None:
    """A service without the privilege, or with a recorder that ended, runs on and says so."""
    held = HeldFrames(frames(exchange(_T + 10 * _MS, _T + 20 * _MS)))
    _job(store, held, sample_ratio=1.0).run_once(_T + 9 * NS_PER_S)
    insert_spans(store, [_call("t1", "s1", _T + 9 * _MS, _T + 21 * _MS)])
    without = _job(store, None).run_once(_T + 10 * NS_PER_S)
    assert (without.linked, without.capture_lost) == (1, None)
    ended = _job(store, LostRecorder()).run_once(_T + 10 * NS_PER_S)
    assert (ended.linked, ended.capture_lost) == (1, "the packet recorder has ended")
