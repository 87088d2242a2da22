from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from collector.core.clock import SystemClock
from collector.core.config import AttributesConfig
from collector.core.times import NS_PER_MINUTE, NS_PER_MS, NS_PER_S
from collector.store.connect import Connections
from packet.jobs.clocks import ClockJob
from packet.store.reader import Reader
from packet.store.writer import Writer
from tests.support.packet.build import CLIENT, SERVER, Packet, columns
from tests.support.packet.seed import Span, insert_spans

_MS = NS_PER_MS
# What the store keeps expires by the machine's own clock, so a test's time is near it.
_MINUTE = (SystemClock().now_ns() // NS_PER_MINUTE - 5) * NS_PER_MINUTE
_OFFSET = 5 * _MS  # clock of host web less clock of host app


def _call(number: int, at_ns: int, *, synced: str = "true") -> list[Span]:
    """Return a call from web to app: 1 ms there, 2 ms of work, 1 ms back."""
    web = {"host.name": "web", "clock.synced": "true"}
    app = {"host.name": "app", "clock.synced": synced}
    trace, there = f"{number:032x}", at_ns + 1 * _MS - _OFFSET
    return [
        Span(trace, f"c{number:015x}", at_ns, at_ns + 4 * _MS, resource=web),
        Span(
            trace,
            f"s{number:015x}",
            there,
            there + 2 * _MS,
            kind="Server",
            parent_span_id=f"c{number:015x}",
            resource=app,
        ),
    ]


def _rows(store: Connections) -> list[dict[str, Any]]:
    query = "SELECT * EXCEPT version FROM clock_offsets FINAL ORDER BY window_ns, source"
    return list(store.client().query(query).named_results())


def _job(store: Connections) -> ClockJob:
    return ClockJob(store, Reader(store, AttributesConfig()), Writer(store))


def _write_packets(store: Connections) -> None:
    """Store a request and its response, as the recorders of both hosts kept them."""
    at_ns = _MINUTE + 30 * NS_PER_S
    request = Packet(at_ns, CLIENT, SERVER, seq=1, payload=100)
    response = Packet(at_ns + 3 * _MS, SERVER, CLIENT, seq=1, ack=101, payload=100)
    for host, packets in (
        ("web", [request, response]),
        (
            "app",
            [
                replace(request, ts_ns=at_ns + 1 * _MS - _OFFSET),
                replace(response, ts_ns=at_ns + 2 * _MS - _OFFSET),
            ],
        ),
    ):
        Writer(store, host=host).packets(columns(packets), "sample", "")


def test_clocks_of_two_hosts_are_compared_by_spans_and_by_packets(store: Connections) -> None:
    """Each source is a row with its bound; a rerun leaves the same rows."""
    spans = [span for i in range(3) for span in _call(i, _MINUTE + (10 + 20 * i) * NS_PER_S)]
    insert_spans(store, spans)
    _write_packets(store)
    job, now_ns = _job(store), _MINUTE + NS_PER_MINUTE + 16 * NS_PER_S
    report = job.run_once(now_ns)
    rows = _rows(store)
    assert [row["source"] for row in rows] == ["packets", "spans"]
    for row in rows:
        assert (row["host_a"], row["host_b"], row["window_ns"]) == ("app", "web", _MINUTE)
        assert row["offset_ns"] == pytest.approx(_OFFSET, abs=100_000)
        assert abs(row["offset_ns"] - _OFFSET) <= row["bound_ns"]
        assert row["state"] == "unsynchronised"
        assert row["says_unsynchronised"] == []
        assert row["stepped_ns"] is None
    assert [(row["forward"], row["reverse"]) for row in rows] == [(1, 1), (3, 3)]
    # 1 ms each way, known to 1 ms: at an instant that is not the middle, the bound is wider still.
    assert [(row["segments"], row["excluded"]) for row in rows] == [(2, 2), (6, 6)]
    assert (report.pairs, report.unsure, report.one_way_only) == (2, 2, 0)
    assert (report.segments, report.excluded) == (8, 8)
    assert job.run_once(now_ns).pairs == 0
    assert _rows(store) == rows


def test_clock_whose_kernel_says_so_is_not_synchronised(store: Connections) -> None:
    """Two clocks that agree by chance are not held there by anything."""
    web, app = _call(1, _MINUTE + 10 * NS_PER_S, synced="false")
    app = replace(app, start_ns=app.start_ns + _OFFSET, end_ns=app.end_ns + _OFFSET)
    insert_spans(store, [web, app])
    _job(store).run_once(_MINUTE + NS_PER_MINUTE + 16 * NS_PER_S)
    (row,) = _rows(store)
    assert row["offset_ns"] == 0
    assert (row["state"], row["says_unsynchronised"]) == ("unsynchronised", ["app"])


def test_minute_that_is_not_complete_waits(store: Connections) -> None:
    """A late batch would make another row of it."""
    insert_spans(store, _call(1, _MINUTE + 10 * NS_PER_S))
    job = _job(store)
    assert job.run_once(_MINUTE + NS_PER_MINUTE).pairs == 0
    assert job.latest == []
    assert job.run_once(_MINUTE + NS_PER_MINUTE + 16 * NS_PER_S).pairs == 1
    # What the Health page shows stands until another minute tells something.
    job.run_once(_MINUTE + 3 * NS_PER_MINUTE)
    assert [(row.window_ns, row.host_a, row.host_b) for row in job.latest] == [
        (_MINUTE, "app", "web")
    ]


def test_hosts_that_share_a_store_keep_their_own_packets(store: Connections) -> None:
    """Both ends of a connection in one analysis would make every packet a retransmission."""
    _write_packets(store)
    span = _MINUTE, _MINUTE + NS_PER_MINUTE
    web, app = (Reader(store, AttributesConfig(), host).packets(*span) for host in ("web", "app"))
    assert (web.ts_ns - app.ts_ns).tolist() == [_OFFSET - 1 * _MS, _OFFSET + 1 * _MS]
    assert len(Reader(store, AttributesConfig()).packets(*span)) == 0
