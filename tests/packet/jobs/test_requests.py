from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from collector.core.clock import SystemClock
from collector.core.config import AttributesConfig
from collector.core.counters import Counters
from collector.core.times import NS_PER_MS, NS_PER_S
from collector.store.connect import Connections
from packet.capture.recorder import Recorder
from packet.config import PacketConfig
from packet.jobs.packets import PacketJob
from packet.jobs.traces import trace_threshold
from packet.tcp.microburst import Burst
from packet.tcp.per_second import WireSecond
from tests.support.packet.build import CLIENT, SERVER, Packet, exchange
from tests.support.packet.seed import HeldFrames, Span, frames, insert_request, insert_spans

_MS = NS_PER_MS
# What the store keeps expires by the machine's own clock, so a test's time is near it.
_T = (SystemClock().now_ns() // NS_PER_S - 600) * NS_PER_S
_SECOND = WireSecond(_T, 1_000, 100_000, 5, 4_000, 3_000, 2_000, 1_600, 0, 1, (), (), 0)
_PAIR = SERVER[1] << 16 | CLIENT[1]
_BURST = Burst(_T + 5, _T + 5 + _MS, 100, 150_000, 2.4, 150_000, 1_200_000, 3, (_PAIR,), 0.7)


def _rows(store: Connections, query: str) -> list[dict[str, Any]]:
    return list(store.client().query(query).named_results())


def _job(
    store: Connections,
    held: Recorder,
    counters: Counters | None = None,
    **settings: Any,  # noqa: ANN401 - values of any setting
) -> PacketJob:
    settings = {"sample_ratio": 0.0, "trace_ratio": 0.0, **settings}
    return PacketJob(PacketConfig(**settings), AttributesConfig(), store, held, counters)


def _call(trace_id: str, start_ns: int, end_ns: int, port: int = CLIENT[1], **other: Any) -> Span:  # noqa: ANN401 - any field
    ports = {"network.local.port": str(port), "network.peer.port": str(SERVER[1]),
             "network.peer.address": "127.0.0.1"}  # fmt: skip
    return Span(trace_id, "s1", start_ns, end_ns, ports, **other)


def _decision(trace_id: str, start_ns: int, end_ns: int) -> Span:
    return Span(
        trace_id, f"root{trace_id}", start_ns, end_ns, {"decision.action": "price"}, "Server"
    )


def test_wire_in_trouble_is_written_down_and_its_packets_are_kept(store: Connections) -> None:
    """Figures, trigger, dump, link and the verdict on it, from one bad second on."""
    held = HeldFrames(
        frames(exchange(_T + 10 * _MS, _T + 20 * _MS)),
        [replace(_SECOND, retransmissions=25, retransmitting=(_PAIR,), bursts=(_BURST,))],
        since_ns=_T + 15 * _MS,
    )
    insert_spans(store, [_call("t1", _T + 9 * _MS, _T + 21 * _MS)])
    job = _job(store, held, host="")
    report = job.run_once(_T + 5 * NS_PER_S)
    assert (report.triggers, report.captured, report.open_requests) == (2, 6, 2)
    assert job.run_once(_T + 6 * NS_PER_S).triggers == 0

    (second,) = _rows(store, "SELECT * FROM wire_seconds FINAL")
    assert second == {
        "second_ns": _T, "host": "", "packets": 1_000, "wire_bytes": 100_000, "flows": 5,
        "peak_1ms_bytes": 4_000, "peak_500us_bytes": 3_000, "queue_bytes": 2_000,
        "queue_ns": 1_600, "retransmissions": 25, "zero_windows": 1, "bursts": 1,
        "bursts_refused": 0,
    }  # fmt: skip
    (burst,) = _rows(store, "SELECT * FROM microbursts FINAL")
    assert burst == {
        "start_ns": _T + 5, "host": "", "end_ns": _T + 5 + _MS, "packets": 100,
        "wire_bytes": 150_000, "peak_ratio": 2.4, "queue_bytes": 150_000, "queue_ns": 1_200_000,
        "flows": 3, "port_pairs": [_PAIR], "top_share": 0.7,
    }  # fmt: skip
    triggers = _rows(store, "SELECT * EXCEPT (version, reason) FROM capture_triggers FINAL")
    assert triggers[0] == {
        "began_ns": _T, "trigger_id": f"retransmissions-{_T:x}", "cause": "retransmissions",
        "from_ns": _T - 30 * NS_PER_S, "to_ns": _T + 10 * NS_PER_S, "trace_ids": [],
        "port_pairs": [_PAIR], "host": "",
    }  # fmt: skip
    kept = _rows(store, "SELECT DISTINCT ts_ns, kept_for FROM packets FINAL ORDER BY ts_ns")
    assert [row["ts_ns"] for row in kept] == [_T + 10 * _MS, _T + 20 * _MS, _T + 20 * _MS + 1]
    assert {row["kept_for"] for row in kept} == {"alert"}

    assert job.run_once(_T + 25 * NS_PER_S).open_requests == 0
    verdicts = _rows(store, "SELECT * FROM reconstructions FINAL ORDER BY trigger_id")
    assert [row["cause"] for row in verdicts] == ["microburst", "retransmissions"]
    for row in verdicts:
        # The recorder began in the middle of the exchange: what it has may not be all.
        assert (row["requests"], row["rebuilt"], row["packets"]) == (1, 0, 3)
    assert verdicts[0]["probability"] == 0.0
    assert "recorder reached back 4.985 s, needed 4.991 s (measured)" in verdicts[0]["grounds"]


def test_rebuilt_alert_is_said_to_be_so(store: Connections) -> None:
    """The page of an incident has a probability and what it rests on."""
    held = HeldFrames(frames(exchange(_T + _MS, _T + 20 * _MS)), since_ns=_T)
    insert_spans(store, [_decision("t1", _T, _T + 30 * _MS), _call("t1", _T, _T + 21 * _MS)])
    insert_request(store, "e/1", _T - NS_PER_S, _T + NS_PER_S)
    job = _job(store, held, sample_ratio=0.0005)
    job.run_once(_T + 3 * NS_PER_S)
    job.run_once(_T + 20 * NS_PER_S)
    (row,) = _rows(store, "SELECT * EXCEPT (version, grounds) FROM reconstructions FINAL")
    assert row == {
        "from_ns": _T - NS_PER_S, "trigger_id": "e/1", "host": "", "cause": "alert",
        "requests": 1, "rebuilt": 1, "packets": 3, "probability": 1.0,
        "sampled_probability": pytest.approx(0.0005),
    }  # fmt: skip


def test_slow_decision_keeps_its_own_packets(store: Connections) -> None:
    """One in a thousand is worth its packets, not those of its neighbours."""
    usual = [_decision(f"u{place}", _T + place, _T + place + 10 * _MS) for place in range(1_000)]
    insert_spans(store, usual)
    other = (CLIENT[0], CLIENT[1] + 1)
    slow_ns = _T + 2 * NS_PER_S
    held = HeldFrames(
        frames(
            [*exchange(slow_ns + _MS, slow_ns + 40 * _MS), *exchange(slow_ns, slow_ns + 2, other)]
        )
    )
    job = _job(store, held, outlier_ratio=3.0)
    assert job.run_once(_T + 4 * NS_PER_S).triggers == 0
    insert_spans(
        store,
        [
            replace(_decision("slow", slow_ns, slow_ns + 50 * _MS), received_ns=_T + 3 * NS_PER_S),
            _decision("fast", slow_ns, slow_ns + 29 * _MS),
            _call("slow", slow_ns, slow_ns + 41 * _MS),
            _call("fast", slow_ns, slow_ns + 41 * _MS, port=other[1]),
        ],
    )
    report = job.run_once(_T + 6 * NS_PER_S)
    assert (report.triggers, report.captured) == (1, 3)
    (trigger,) = _rows(store, "SELECT cause, trace_ids, reason FROM capture_triggers FINAL")
    assert trigger == {
        "cause": "outlier",
        "trace_ids": ["slow"],
        "reason": "price took 50.0 ms; 99.9 % take 10.0 ms or less",
    }
    assert {row["src_port"] for row in _rows(store, "SELECT src_port FROM packets FINAL")} == {
        CLIENT[1], SERVER[1],
    }  # fmt: skip


@pytest.mark.parametrize("ratio", [1e300, math.inf])
def test_ratio_that_nothing_reaches_switches_outliers_off(store: Connections, ratio: float) -> None:
    """As somebody writes it who wants none."""
    usual = [_decision(f"u{place}", _T + place, _T + place + 10 * _MS) for place in range(1_000)]
    insert_spans(store, usual)
    job = _job(store, HeldFrames(frames([])), outlier_ratio=ratio)
    assert job.run_once(_T + 4 * NS_PER_S).triggers == 0
    slow_ns = _T + 2 * NS_PER_S
    slow = _decision("slow", slow_ns, slow_ns + 50 * _MS)
    insert_spans(store, [replace(slow, received_ns=_T + 3 * NS_PER_S)])
    assert job.run_once(_T + 6 * NS_PER_S).triggers == 0


def test_trace_that_is_kept_has_its_packets(store: Connections) -> None:
    """The threshold is OpenTelemetry's: on the trace id, or on the randomness a sender gave."""
    ids = {name: f"{place:018x}" for place, name in enumerate(("low", "high", "rv", "rv_low"))}
    kept, dropped = "fff2e48e8a71de", "fff2e48e8a71dd"  # the edge of 0.0002
    assert trace_threshold(0.0002) == kept
    assert trace_threshold(1.0) == "0" * 14
    assert trace_threshold(0.0) is None
    calls = [
        _call(ids["low"] + dropped, _T, _T + 21 * _MS, CLIENT[1]),
        _call(ids["high"] + kept, _T, _T + 21 * _MS, CLIENT[1] + 1),
        _call(ids["rv"] + dropped, _T, _T + 21 * _MS, CLIENT[1] + 2,
              trace_state=f"v=1,ot=th:c;rv:{kept}"),
        _call(ids["rv_low"] + kept, _T, _T + 21 * _MS, CLIENT[1] + 3,
              trace_state=f"ot=rv:{dropped}"),
    ]  # fmt: skip
    insert_spans(store, calls)
    packets = [
        packet
        for place in range(4)
        for packet in exchange(_T + _MS, _T + 20 * _MS, (CLIENT[0], CLIENT[1] + place))
    ]
    report = _job(store, HeldFrames(frames(packets)), trace_ratio=0.0002).run_once(
        _T + 4 * NS_PER_S
    )
    assert report.pulled == 6
    kept_rows = _rows(store, "SELECT DISTINCT src_port, kept_for FROM packets FINAL")
    assert {(row["src_port"], row["kept_for"]) for row in kept_rows} == {
        (SERVER[1], "trace"), (CLIENT[1] + 1, "trace"), (CLIENT[1] + 2, "trace"),
    }  # fmt: skip


def test_budget_is_enforced_over_all_tiers_and_kept_over_a_restart(store: Connections) -> None:
    """1 MiB: half of it for samples at most, the rest for alerts, and not one byte more."""
    big = [Packet(_T + place, payload=50_000, seq=place) for place in range(12)]
    alerted = [
        Packet(_T + place * _MS, (CLIENT[0], CLIENT[1] + place), payload=50_000)
        for place in range(1, 26)
    ]
    held = HeldFrames(frames([*big, *alerted]), [replace(_SECOND, wire_bytes=1_000_000)])
    for place in range(1, 26):
        insert_spans(
            store,
            [
                _decision(f"t{place}", _T, _T + (90 - place) * _MS),
                _call(f"t{place}", _T, _T + 21 * _MS, CLIENT[1] + place),
            ],
        )
    insert_request(store, "e/1", _T, _T + NS_PER_S)
    counters = Counters()
    limits: dict[str, Any] = {"budget_burst_mib": 1, "budget_ratio": 0.001}
    report = _job(store, held, counters, sample_ratio=1.0, **limits).run_once(_T + 4 * NS_PER_S)
    budget = report.budget
    mib, size = 1024 * 1024, 50_054
    sampled = budget.sampled_bytes
    assert sampled <= mib // 2
    assert budget.dumped_bytes == (mib - sampled) // size * size
    assert budget.left_bytes == mib - sampled - budget.dumped_bytes
    assert budget.refused_bytes > 0
    (row,) = _rows(store, "SELECT * EXCEPT at_ns FROM packet_budget FINAL")
    assert row == {
        "host": "", "seen_bytes": 1_000_000, "sampled_bytes": sampled, "pulled_bytes": 0,
        "dumped_bytes": budget.dumped_bytes, "refused_bytes": budget.refused_bytes,
        "left_bytes": budget.left_bytes,
    }  # fmt: skip
    figure = counters.registry.get_sample_value
    assert figure("millworth_packet_budget_left_bytes") == budget.left_bytes
    assert figure("millworth_packet_bytes_total", {"tier": "refused"}) == budget.refused_bytes
    assert figure("millworth_packets_kept_ratio") == budget.kept_bytes / 1_000_000
    assert figure("millworth_wire_bytes_total") == 1_000_000
    assert figure("millworth_packets_recorded") == 37
    assert figure("millworth_packets_dropped") == 0
    assert figure("millworth_packet_contexts_found") == 0
    assert figure("millworth_packet_requests_unsearched") == 0
    # The slowest decisions were paid for first: what is missing are the fastest.
    dumped = _rows(store, "SELECT src_port FROM packets FINAL WHERE kept_for = 'alert'")
    assert {row["src_port"] for row in dumped} == {
        CLIENT[1] + place for place in range(1, 1 + budget.dumped_bytes // size)
    }
    again = _job(store, held, **limits).run_once(_T + 5 * NS_PER_S)
    assert again.budget.left_bytes == budget.left_bytes
