from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.core.times import NS_PER_MS, NS_PER_S
from packet.tcp.microburst import (
    FINE_BIN_NS,
    Arrivals,
    binned,
    bursts,
    hot_threshold,
    queue_bytes,
)

_T0 = 1_800_000_000 * NS_PER_S
_GIGABIT = 1e9 / 8  # bytes a second


def _arrivals(ts_ns: list[int], wire_bytes: list[int], flow: list[int] | None = None) -> Arrivals:
    flows = np.array(flow or [1] * len(ts_ns), np.uint64)
    return Arrivals(
        np.array(ts_ns, np.int64), np.array(wire_bytes, np.int64), flows, flows.astype(np.uint32)
    )


@given(
    st.lists(st.tuples(st.integers(0, 50_000), st.integers(60, 1_500)), min_size=1, max_size=60),
    st.floats(0, 5_000),
    st.integers(10_000_000, 1_000_000_000),
)
def test_queue_is_lindleys(gaps: list[tuple[int, int]], before: float, bytes_per_s: int) -> None:
    """The sum less its minimum is the recursion, packet by packet, with what was there before."""
    ts_ns = np.cumsum([gap for gap, _ in gaps]) + _T0
    sizes = np.array([size for _, size in gaps], np.int64)
    level, expected = before, []
    for place, size in enumerate(sizes.tolist()):
        gap_ns = int(ts_ns[place] - ts_ns[place - 1]) if place else 0
        level = max(level - bytes_per_s * gap_ns / NS_PER_S, 0.0) + size
        expected.append(level)
    assert queue_bytes(ts_ns, sizes, bytes_per_s, before) == pytest.approx(expected, abs=1e-3)


@given(st.lists(st.integers(-NS_PER_MS, 5 * NS_PER_MS), max_size=50), st.integers(1, 9))
def test_no_byte_is_lost_between_two_bins(offsets: list[int], bins: int) -> None:
    """Bins hold every packet of their time and none beside it."""
    ts_ns = np.array([_T0 + offset for offset in offsets], np.int64)
    sizes = np.full(len(ts_ns), 100, np.int64)
    filled = binned(ts_ns, sizes, _T0, _T0 + bins * FINE_BIN_NS, FINE_BIN_NS)
    assert len(filled) == bins
    inside = (ts_ns >= _T0) & (ts_ns < _T0 + bins * FINE_BIN_NS)
    assert filled.sum() == 100 * inside.sum()


def test_burst_is_found_with_its_queue_and_its_flows() -> None:
    """100 packets at once in front of a gigabit: 150 kB that take 1.2 ms to go."""
    usual = list(range(_T0, _T0 + 100 * NS_PER_MS, 100_000))
    at_ns = _T0 + 40 * NS_PER_MS + 1_000
    sent = [at_ns + 10 * place for place in range(100)]
    ts_ns = sorted(usual + sent)
    is_burst = [at_ns <= stamp < at_ns + 1_000 for stamp in ts_ns]
    flow = [3 + place % 4 // 3 if burst else 1 for place, burst in enumerate(is_burst)]
    arrivals = _arrivals(ts_ns, [1_500 if burst else 100 for burst in is_burst], flow)
    queue = queue_bytes(arrivals.ts_ns, arrivals.wire_bytes, _GIGABIT)
    end_ns = _T0 + 100 * NS_PER_MS
    ordinary = binned(np.array(usual), np.full(len(usual), 100), _T0, end_ns, FINE_BIN_NS)
    (burst,) = bursts(arrivals, queue, _T0, end_ns, ordinary, _GIGABIT)
    assert burst.start_ns == _T0 + 40 * NS_PER_MS
    assert burst.end_ns == burst.start_ns + FINE_BIN_NS
    assert burst.wire_bytes == 100 * 1_500 + 5 * 100
    assert burst.packets == 105
    assert burst.queue_bytes == pytest.approx(150_000, abs=500)
    assert burst.queue_ns == pytest.approx(1_200_000, abs=4_000)
    assert burst.peak_ratio == pytest.approx(150_500 / (_GIGABIT * 0.0005))
    assert burst.flows == 3
    assert burst.port_pairs[0] == 3
    assert burst.top_share == pytest.approx(0.75, abs=0.01)


def test_hot_bins_a_millisecond_apart_are_one_burst() -> None:
    """A receiver that drains in between does not make two incidents of one."""
    near = [_T0 + 100, _T0 + 1 * NS_PER_MS + 100]
    far = [_T0 + 5 * NS_PER_MS + 100]
    arrivals = _arrivals(near + far, [60_000] * 3)
    queue = queue_bytes(arrivals.ts_ns, arrivals.wire_bytes, _GIGABIT)
    found = bursts(arrivals, queue, _T0, _T0 + 10 * NS_PER_MS, np.zeros(0, np.int64), _GIGABIT)
    assert [burst.packets for burst in found] == [2, 1]


def test_ordinary_traffic_is_no_burst() -> None:
    """Half of the link's rate is the least that counts, however quiet it was before."""
    quiet = np.zeros(1_000, np.int64)
    assert hot_threshold(quiet, _GIGABIT, FINE_BIN_NS) == _GIGABIT * 0.0005 / 2
    busy = np.tile(np.array([40_000, 50_000, 60_000], np.int64), 300)
    assert hot_threshold(busy, _GIGABIT, FINE_BIN_NS) > 100_000
