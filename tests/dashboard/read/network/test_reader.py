"""What packets of a range show, over a real store."""

from __future__ import annotations

import random
from typing import Any

import pytest

from collector.core.times import NS_PER_MS, NS_PER_S
from collector.store.connect import Connections
from dashboard.read.network.reader import clocks, network
from dashboard.read.reader import Reader
from dashboard.read.rows import Range
from tests.support.dashboard.seed import ACTIONS, REGIONS, TODAY_NS, Seed

SEEN = Range(TODAY_NS - 60 * NS_PER_S, TODAY_NS)
AT_NS = TODAY_NS - 30 * NS_PER_S


def put(store: Connections, table: str, *rows: dict[str, Any]) -> None:
    """Insert rows of one table."""
    names = list(rows[0])
    values = [[row[name] for name in names] for row in rows]
    store.client().insert(table, values, column_names=names)


@pytest.fixture
def wired(store: Connections) -> Connections:
    """Return a store with a decision in either region, each with packets and proven waits."""
    seed = Seed(random.Random(1))
    for number, region in enumerate(REGIONS):
        seed.decision(AT_NS + number * NS_PER_S, number, region=region, packets=True)
        seed.add(
            "path_evidence", ingress_ns=AT_NS + number * NS_PER_S, decision_id=f"d-{number}",
            span_id=f"{number:016x}", stage="decision", **{"class": "store"},
            self_ns=10 * NS_PER_MS, rtt_ns=NS_PER_MS, think_ns=9 * NS_PER_MS,
            finding="", method="packets", revision=1, computed_ns=TODAY_NS,
        )  # fmt: skip
    seed.insert(store.client())
    return store


def test_waits_are_those_of_one_action_and_region(wired: Connections) -> None:
    """Of all of them without a filter."""
    (every,) = network(Reader(wired), SEEN).waited
    assert (every.latency_class, every.method, every.decisions) == ("store", "packets", 2)
    assert (every.self_ns, every.rtt_ns, every.think_ns) == (20_000_000, 2_000_000, 18_000_000)
    narrowed = Range(SEEN.from_ns, SEEN.to_ns, ACTIONS[0], REGIONS[1])
    (one,) = network(Reader(wired), narrowed).waited
    assert (one.decisions, one.self_ns) == (1, 10_000_000)
    assert network(Reader(wired), Range(SEEN.from_ns, SEEN.to_ns, "none")).waited == []


def test_connections_are_told_by_server_with_their_longest_exchange(wired: Connections) -> None:
    """One port of one server is one line, however many clients' ports there are."""
    put(
        wired, "wire_times",
        *(
            {"trace_id": f"{number:032x}", "span_id": f"{number:015x}1", "decision_id": "",
             "start_ns": AT_NS + number * NS_PER_S, "end_ns": TODAY_NS, "exchanges": 1,
             "rtt_ns": 100_000 * (number + 1), "kinds": [], "ends_ns": [], "outside_ns": 0,
             "confidence": 1.0, "linked_ns": TODAY_NS}
            for number in range(2)
        ),
    )  # fmt: skip
    found = {each.server_port: each for each in network(Reader(wired), SEEN).pairs}
    assert sorted(found) == [6379, 8088]
    store = found[6379]
    assert (store.connections, store.packets, store.exchanges) == (2, 16, 4)
    assert (store.rtts, store.rtt_p50_ns, store.rtt_p95_ns) == (2, 200_000, 200_000)
    assert store.handshake_p50_ns is None
    assert store.decision_id in ("d-0", "d-1")
    assert store.retransmissions == 0
    assert 0.1 < store.retransmission_high < 0.3
    assert found[8088].rtt_p50_ns is None


def test_wire_counts_every_packet_and_what_was_kept_of_the_bytes(wired: Connections) -> None:
    """Losses are judged on all packets; of those that are kept too few are left."""
    put(wired, "wire_seconds", {
        "second_ns": AT_NS, "host": "", "packets": 1_000, "wire_bytes": 90_000, "flows": 3,
        "peak_1ms_bytes": 1, "peak_500us_bytes": 1, "queue_bytes": None, "queue_ns": None,
        "retransmissions": 5, "zero_windows": 2, "bursts": 1, "bursts_refused": 2,
    })  # fmt: skip
    put(wired, "packet_budget", {
        "at_ns": AT_NS, "host": "", "seen_bytes": 90_000, "sampled_bytes": 1_000,
        "pulled_bytes": 2_000, "dumped_bytes": 3_000, "refused_bytes": 500, "left_bytes": 1,
    })  # fmt: skip
    wire = network(Reader(wired), SEEN).wire
    assert (wire.packets, wire.retransmissions, wire.bursts) == (1_000, 5, 3)
    assert (wire.judged_seconds, wire.kept_bytes, wire.refused_bytes) == (0, 6_000, 500)
    assert wire.retransmission_low is not None
    assert wire.retransmission_low < 0.005 < (wire.retransmission_high or 0)


def test_range_without_packets_is_unknown_and_not_good(store: Connections) -> None:
    """Nothing seen is no share of nothing."""
    found = network(Reader(store), SEEN)
    assert (found.waited, found.pairs, found.bursts) == ([], [], [])
    assert (found.wire.packets, found.wire.retransmission_high) == (0, None)


def test_pair_of_clocks_is_its_newest_minute_by_the_best_source(store: Connections) -> None:
    """The gravest pair stands first."""
    row = {
        "window_ns": AT_NS, "host_a": "a", "host_b": "b", "source": "packets", "at_ns": AT_NS,
        "offset_ns": 2_000, "bound_ns": 500, "median_offset_ns": 0, "rtt_min_ns": 1_000,
        "drift_ppm": None, "state": "synchronised", "says_unsynchronised": [], "forward": 9,
        "reverse": 9, "segments": 4, "excluded": 1, "version": 1,
    }  # fmt: skip
    put(
        store,
        "clock_offsets",
        row,
        {**row, "source": "spans", "bound_ns": 90_000},
        {**row, "window_ns": AT_NS - 60 * NS_PER_S, "state": "stepped", "bound_ns": 1},
        {**row, "host_b": "c", "state": "stepped"},
    )
    found = clocks(Reader(store), Range(TODAY_NS - 600 * NS_PER_S, TODAY_NS))
    assert [(each.host_b, each.state, each.source, each.bound_ns) for each in found] == [
        ("c", "stepped", "packets", 500),
        ("b", "synchronised", "packets", 500),
    ]
