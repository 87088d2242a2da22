"""What is said of an incident is never more than what was kept of it, whatever was in the way."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from collector.core.clock import SystemClock
from collector.core.config import AttributesConfig
from collector.core.times import NS_PER_MS, NS_PER_S
from collector.store.connect import Connections
from packet.capture.recorder import Recorder
from packet.config import PacketConfig
from packet.jobs.packets import PacketJob
from tests.support.packet.build import CLIENT, SERVER, Packet, exchange
from tests.support.packet.seed import (
    HeldFrames,
    LostRecorder,
    Span,
    frames,
    insert_request,
    insert_spans,
)

_MS = NS_PER_MS
# What the store keeps expires by the machine's own clock, so a test's time is near it.
_T = (SystemClock().now_ns() // NS_PER_S - 600) * NS_PER_S


def _job(store: Connections, held: Recorder, **settings: Any) -> PacketJob:  # noqa: ANN401 - values of any setting
    settings = {"sample_ratio": 0.0, "trace_ratio": 0.0, **settings}
    return PacketJob(PacketConfig(**settings), AttributesConfig(), store, held)


def _root(trace_id: str, at_ns: int) -> Span:
    names = {"decision.action": "price"}
    return Span(trace_id, f"root{trace_id}", at_ns, at_ns + 30 * _MS, names, "Server")


def _call(trace_id: str, at_ns: int, port: int, span_id: str = "s1", **other: str) -> Span:
    names = {"network.local.port": str(port), "network.peer.port": str(SERVER[1]),
             "network.peer.address": SERVER[0], **other}  # fmt: skip
    return Span(trace_id, span_id, at_ns, at_ns + 21 * _MS, {k: v for k, v in names.items() if v})


def _incident(
    store: Connections, count: int, lag_ns: int = 0, gap_ns: int = 40 * _MS, ports: int = 1
) -> list[Packet]:
    """Store decisions of one call each, on pooled connections; return what was on the wire."""
    packets, spans, drawn = list[Packet](), list[Span](), Random(5)
    for number in range(count):
        # Not at even distances, as traffic is: at those no lag could be told from its multiples.
        at_ns = _at(number, gap_ns) + drawn.randrange(gap_ns // 3)
        port = CLIENT[1] + number % ports
        spans += [_root(f"t{number}", at_ns + lag_ns), _call(f"t{number}", at_ns + lag_ns, port)]
        packets += exchange(at_ns + _MS, at_ns + 20 * _MS, (CLIENT[0], port))
    insert_spans(store, spans)
    return packets


def _at(number: int, gap_ns: int = 40 * _MS) -> int:
    return _T + number * gap_ns


def _verdict(store: Connections, job: PacketJob, end_ns: int) -> dict[str, Any]:
    """Return the row on one alert, after looks during it and after it."""
    insert_request(store, "e/1", _T - 2 * NS_PER_S, end_ns)
    for seconds in (3, 13, 16):
        job.run_once(end_ns + seconds * NS_PER_S)
    (row,) = store.client().query("SELECT * FROM reconstructions FINAL").named_results()
    return dict(row)


def test_whole_incident_on_pooled_connections(store: Connections) -> None:
    """The measure of the others: all of it is kept, and said to be."""
    held = HeldFrames(frames(_incident(store, 40, ports=4)))
    row = _verdict(store, _job(store, held), _T + 3 * NS_PER_S)
    assert (row["requests"], row["rebuilt"], row["probability"]) == (40, 40, 1.0)


@pytest.mark.parametrize(
    ("other", "rebuilt"),
    [
        pytest.param({"network.local.port": ""}, 0, id="its own port is not named"),
        pytest.param({"network.local.port": "", "network.peer.port": "",
                      "network.peer.address": ""}, 0, id="nothing is named"),
        pytest.param({"network.local.port": "", "network.peer.port": "",
                      "network.peer.address": "", "network.transport": "unix"}, 1, id="no network"),
        pytest.param({"network.local.port": "", "network.peer.port": "",
                      "network.peer.address": "", "db.system": "sqlite"}, 1, id="a file"),
    ],
)  # fmt: skip
def test_call_that_cannot_be_found_is_missing(
    store: Connections, other: dict[str, str], rebuilt: int
) -> None:
    """Beside one that names its connection; its packets are nowhere, whoever asks for them."""
    held = HeldFrames(frames(_incident(store, 1)))
    insert_spans(store, [_call("t0", _T, CLIENT[1], "s2", **other)])
    row = _verdict(store, _job(store, held), _T + NS_PER_S)
    assert (row["requests"], row["rebuilt"], row["probability"]) == (1, rebuilt, float(rebuilt))


def test_decisions_beyond_the_cap_are_missing(store: Connections) -> None:
    """What was not looked at was touched as well."""
    held = HeldFrames(frames(_incident(store, 12)))
    row = _verdict(store, _job(store, held, capture_flows_max=2), _T + 2 * NS_PER_S)
    assert (row["requests"], row["rebuilt"], row["probability"]) == (12, 10, 0.0)
    assert row["grounds"][0] == (
        "requests touched: 12, looked at: 10, with all packets of every call: 10 (measured)"
    )


@pytest.mark.parametrize("lag_ns", [400 * _MS, -400 * _MS])
def test_clock_that_is_off_is_found_or_nothing_is_said_to_be_whole(
    store: Connections, lag_ns: int
) -> None:
    """Spans 400 ms off lie where others' packets are, and their own are found by votes."""
    packets = _incident(store, 40, lag_ns, ports=4)
    held = HeldFrames(frames(packets))
    row = _verdict(store, _job(store, held), _T + 3 * NS_PER_S)
    kept = store.client().query("SELECT count() FROM packets FINAL").result_rows[0][0]
    assert (row["rebuilt"], row["probability"]) == (40, 1.0)
    assert kept == len(packets)


def test_what_was_found_by_a_lag_is_linked_beside_spans_that_were_not_kept(
    store: Connections,
) -> None:
    """Ordinary spans of these connections, of which nothing is kept, would have outvoted it."""
    packets, drawn = _incident(store, 12, 400 * _MS, ports=4), Random(6)
    for number in range(60):
        at_ns, port = _T + NS_PER_S + number * 30 * _MS, CLIENT[1] + number % 4
        at_ns += drawn.randrange(9 * _MS)
        packets += exchange(at_ns + _MS, at_ns + 20 * _MS, (CLIENT[0], port))
        insert_spans(store, [_call(f"other{number}", at_ns + 400 * _MS, port)])
    row = _verdict(store, _job(store, HeldFrames(frames(packets))), _T + 3 * NS_PER_S)
    assert (row["rebuilt"], row["probability"]) == (12, 1.0)
    links = store.client().query(
        "SELECT uniqExact(trace_id), uniqExact(method), any(method) FROM span_flows FINAL "
        "WHERE startsWith(trace_id, 't') AND wire_ns IS NOT NULL"
    )
    assert links.result_rows == [(12, 1, "tuple+time+lag")]


def test_links_of_others_packets_make_nothing_whole(store: Connections) -> None:
    """Too few to vote: what lies at the time of a span need not be its own."""
    held = HeldFrames(frames(_incident(store, 6, 400 * _MS, gap_ns=400 * _MS)[:-3]))
    row = _verdict(store, _job(store, held), _T + 5 * NS_PER_S)
    assert row["probability"] == 0.0


def test_short_memory_has_a_row_of_0(store: Connections) -> None:
    """The recorder has forgotten all when the last decisions are in; nothing would be no answer."""
    held = HeldFrames(frames(_incident(store, 5)))
    job = _job(store, held)
    job.run_once(_T - NS_PER_S)
    held.since_ns = _T + 3 * NS_PER_S
    held.held = frames([Packet(held.since_ns)])
    row = _verdict(store, job, _T + NS_PER_S)
    assert (row["requests"], row["rebuilt"], row["probability"]) == (5, 0, 0.0)


def test_memory_that_slides_on_keeps_what_was_pulled_in_time(store: Connections) -> None:
    """A short window is no loss where every look came before it was forgotten."""
    held = HeldFrames(frames(_incident(store, 10)))
    job, end_ns = _job(store, held), _T + NS_PER_S
    insert_request(store, "e/1", _T - 2 * NS_PER_S, end_ns)
    job.run_once(end_ns + 3 * NS_PER_S)
    held.since_ns = end_ns + 5 * NS_PER_S
    held.held = frames([Packet(held.since_ns)])
    job.run_once(end_ns + 13 * NS_PER_S)
    (row,) = store.client().query("SELECT * FROM reconstructions FINAL").named_results()
    assert (row["rebuilt"], row["probability"]) == (10, 1.0)


def test_recorder_that_ended_leaves_a_row_of_0(store: Connections) -> None:
    """Also where it never answers again."""
    held = HeldFrames(frames(_incident(store, 5)))
    _job(store, held).run_once(_T)
    store.client().insert(
        "packet_budget", [[_T - NS_PER_S, 5]], column_names=["at_ns", "seen_bytes"]
    )
    row = _verdict(store, _job(store, LostRecorder()), _T + NS_PER_S)
    assert (row["requests"], row["rebuilt"], row["probability"]) == (5, 0, 0.0)


def test_recorder_that_began_in_the_middle_has_only_what_came_then(store: Connections) -> None:
    """As one that was started anew: what lies in windows before it is not said to be whole."""
    packets = _incident(store, 10)
    later = [packet for packet in packets if packet.ts_ns >= _T + 200 * _MS]
    held = HeldFrames(frames(later), since_ns=_T + 200 * _MS)
    row = _verdict(store, _job(store, held), _T + 2 * NS_PER_S)
    assert row["probability"] == 0.0
    assert row["rebuilt"] in (4, 5)


def test_verdict_is_not_overwritten_by_a_restart(store: Connections) -> None:
    """The memory of a new start has nothing; what was judged before stays so."""
    held = HeldFrames(frames(_incident(store, 5)))
    _verdict(store, _job(store, held), _T + NS_PER_S)
    again = HeldFrames(frames([Packet(_T + 20 * NS_PER_S)]), since_ns=_T + 20 * NS_PER_S)
    _job(store, again).run_once(_T + 21 * NS_PER_S)
    found = store.client().query("SELECT probability FROM reconstructions FINAL").result_rows
    assert found == [(1.0,)]
