"""The bench of what is printed: its incidents are what it says, and nothing is overstated."""

from __future__ import annotations

from itertools import pairwise

import pytest

from collector.core.errors import CaptureError
from collector.core.times import NS_PER_MS, NS_PER_S
from collector.store.connect import Connections
from packet.bench.incident_sorts import outcomes
from packet.bench.worlds import SORTS, SimulatedRecorder, Sort, incident
from packet.decode.decode import decode
from packet.decode.sampler import Selection

_T = 1_795_600_000 * NS_PER_S


@pytest.mark.parametrize("sort", SORTS.values(), ids=SORTS.keys())
def test_incident_is_one_that_could_have_been(sort: Sort) -> None:
    """On a connection one call follows the other, and the alert comes after what it is about."""
    happened = incident(sort, 3, _T)
    calls = sorted((*happened.touched, *happened.others), key=lambda call: (call.port, call.at_ns))
    for earlier, later in pairwise(calls):
        assert earlier.port != later.port or later.at_ns - earlier.at_ns >= 20 * NS_PER_MS
    assert happened.from_ns < min(call.at_ns for call in happened.touched)
    assert happened.to_ns < happened.asked_ns
    assert happened == incident(sort, 3, _T)


def test_simulated_recorder_forgets_overflows_and_ends() -> None:
    """As the real one does; what it says it holds is what it gives."""
    happened = incident(SORTS["pooled"], 3, _T)
    first_ns = min(call.at_ns for call in (*happened.touched, *happened.others))
    recorder = SimulatedRecorder(Sort(window_s=3.0, held_packets=100), _T - NS_PER_S)
    recorder.hear(happened)
    recorder.now_ns = happened.to_ns
    stats = recorder.stats()
    assert stats.held_packets == 100 < stats.packets
    assert stats.since_ns == stats.oldest_ns
    packets = decode(recorder.pull(Selection(_T, happened.to_ns))).columns
    assert (len(packets), int(packets.ts_ns.min())) == (100, stats.oldest_ns)
    recorder.now_ns = happened.to_ns + 60 * NS_PER_S
    assert recorder.stats().held_packets == 0
    assert recorder.stats().since_ns > first_ns
    recorder.end()
    with pytest.raises(CaptureError):
        recorder.stats()
    recorder.revive(recorder.now_ns)
    assert recorder.stats().since_ns == recorder.now_ns


@pytest.mark.parametrize("name", ["half_named", "kernel_drops"])
def test_nothing_is_overstated(store: Connections, name: str) -> None:
    """`millworth bench reconstruction` has 24 incidents of every sort; here are three of two."""
    for one in outcomes(store.config.url, f"test_{name}", SORTS[name], 3):
        assert one.has_row
        assert one.printed <= one.is_whole
        # The last segment of a connection may be missing without a trace.
        assert one.rebuilt - one.whole <= (name == "kernel_drops")
