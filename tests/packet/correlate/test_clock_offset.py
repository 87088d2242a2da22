from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.core.times import NS_PER_MS, NS_PER_S
from packet.correlate.clock_offset import (
    ClockOffset,
    ClockState,
    Samples,
    estimate,
    one_way,
    two_ways,
)
from packet.decode.columns import I64
from tests.support.packet.build import CLIENT, SERVER, Packet, columns

_T0 = 1_800_000_000 * NS_PER_S
_MS = NS_PER_MS
_PPM = 1e-6


def _truth(offset_ns: float, drift_ppm: float, at_ns: I64 | int, step_ns: float = 0) -> I64:
    stepped = np.where(np.asarray(at_ns) >= _T0 + 5 * NS_PER_S, step_ns, 0)
    return np.rint(offset_ns + drift_ppm * _PPM * (np.asarray(at_ns) - _T0) + stepped).astype(
        np.int64
    )


def _seen(
    seed: int,
    offset_ns: float,
    drift_ppm: float,
    count: int = 1_000,
    floor_ns: tuple[int, int] = (400_000, 600_000),
    step_ns: float = 0,
) -> tuple[Samples, Samples]:
    """Return ten seconds both ways: a floor each way and queues, now and then a long one."""
    rng = np.random.default_rng(seed)
    sent = np.sort(rng.integers(_T0, _T0 + 10 * NS_PER_S, count))
    delay = floor_ns[0] + rng.exponential(200_000, count).astype(np.int64)
    forward = Samples(sent, sent + delay + _truth(offset_ns, drift_ppm, sent, step_ns))
    seen = np.sort(rng.integers(_T0, _T0 + 10 * NS_PER_S, count))
    delay = floor_ns[1] + (rng.pareto(2, count) * 100_000).astype(np.int64)
    return forward, Samples(seen - delay + _truth(offset_ns, drift_ppm, seen, step_ns), seen)


def _estimated(forward: Samples, reverse: Samples) -> ClockOffset:
    clock_offset = estimate(forward, reverse)
    assert clock_offset is not None
    return clock_offset


@given(
    st.integers(0, 2**32),
    st.integers(-3 * NS_PER_S, 3 * NS_PER_S),
    st.floats(-100, 100),
    st.integers(1, 1_500),
    st.tuples(st.integers(0, 5 * _MS), st.integers(0, 5 * _MS)),
)
def test_truth_lies_within_the_bound(
    seed: int, offset_ns: int, drift_ppm: float, count: int, floor_ns: tuple[int, int]
) -> None:
    """The bound is a promise whatever the delays are, also where one way is the longer one."""
    found = _estimated(*_seen(seed, offset_ns, drift_ppm, count, floor_ns))
    at_ns = np.array([found.from_ns, found.at_ns, found.to_ns])
    error = np.abs(found.offsets(at_ns) - _truth(offset_ns, drift_ppm, at_ns))
    # Two roundings to the nanosecond on each side.
    assert (error <= found.bounds(at_ns) + 4).all()
    if found.drift_ppm is not None and found.drift_bound_ppm is not None:
        assert abs(found.drift_ppm - drift_ppm) <= found.drift_bound_ppm + 1e-3
    assert found.state is not ClockState.STEPPED


def test_five_milliseconds_and_25_ppm_are_recovered() -> None:
    """The bound is half the shortest round trip, and the drift is known to a few ppm."""
    found = _estimated(*_seen(1, 5 * _MS, 25))
    assert abs(found.offset_ns - _truth(5 * _MS, 25, found.at_ns)) <= found.bound_ns
    assert found.bound_ns == pytest.approx(500_000, abs=20_000)
    assert found.drift_ppm == pytest.approx(25, abs=1)
    assert found.drift_bound_ppm is not None
    assert found.drift_bound_ppm < 250
    assert found.state is ClockState.UNSYNCHRONISED


def test_drift_is_sure_once_it_outgrows_the_bound() -> None:
    """Ten seconds at 250 ppm are 2.5 ms, more than the round trip hides."""
    found = _estimated(*_seen(2, 0, 250))
    assert found.state is ClockState.DRIFTING
    assert found.drift_ppm == pytest.approx(250, abs=5)


def test_clocks_that_cannot_be_told_apart_are_synchronised() -> None:
    """An offset within the bound is no finding."""
    found = _estimated(*_seen(3, 1_000, 0))
    assert found.state is ClockState.SYNCHRONISED
    assert abs(found.offset_ns) <= found.bound_ns


@pytest.mark.parametrize("step_ns", [20 * _MS, -20 * _MS])
def test_step_is_found_and_only_what_follows_it_counts(step_ns: int) -> None:
    """An average over a step is the offset of no time at all."""
    found = _estimated(*_seen(4, 3 * _MS, 0, step_ns=step_ns))
    assert found.state is ClockState.STEPPED
    assert found.stepped_ns is not None
    assert abs(found.stepped_ns - (_T0 + 5 * NS_PER_S)) <= NS_PER_S // 2
    assert abs(found.offset_ns - (3 * _MS + step_ns)) <= found.bound_ns


def test_one_way_alone_says_nothing() -> None:
    """Delay and offset are then one number: unknown is not zero."""
    forward, reverse = _seen(5, 0, 0, 10)
    nothing = Samples(np.zeros(0, np.int64), np.zeros(0, np.int64))
    assert estimate(forward, nothing) is None
    assert estimate(nothing, reverse) is None


def test_median_is_given_beside_the_minima() -> None:
    """Where delays scatter alike both ways it is nearer by far; it just has no bound."""
    rng = np.random.default_rng(6)
    sent = np.arange(_T0, _T0 + 10 * NS_PER_S, 10 * _MS)
    delay = np.rint(1 * _MS + rng.normal(0, 50_000, (2, len(sent)))).astype(np.int64)
    forward = Samples(sent, sent + delay[0] + 7 * _MS)
    found = _estimated(forward, Samples(sent - delay[1] + 7 * _MS, sent))
    assert abs(found.median_offset_ns - 7 * _MS) < 10_000


def test_segment_shorter_than_its_error_is_left_out() -> None:
    """Half a millisecond with an error of half a millisecond is not a figure."""
    offset = replace(
        _estimated(*_seen(7, 5 * _MS, 0)), offset_ns=5 * _MS, bound_ns=500, drift_ppm=0.0,
        drift_bound_ppm=0.0,
    )  # fmt: skip
    sent = np.array([_T0, _T0, _T0])
    there = one_way(Samples(sent, sent + 5 * _MS + np.array([499, 501, -3])), offset, from_a=True)
    assert there.length_ns.tolist() == [499, 501, -3]
    assert there.usable.tolist() == [False, True, False]
    back = one_way(Samples(sent + 5 * _MS, sent + np.array([500, 502, 0])), offset, from_a=False)
    assert back.length_ns.tolist() == [500, 502, 0]
    assert back.usable.tolist() == [False, True, False]


def test_packets_seen_at_both_ends_give_both_ways() -> None:
    """A retransmission is left out: which of the two was seen is not known."""
    request = Packet(_T0, CLIENT, SERVER, seq=1, payload=100)
    response = Packet(_T0 + 3 * _MS, SERVER, CLIENT, seq=1, ack=101, payload=100)
    again = Packet(_T0 + 4 * _MS, SERVER, CLIENT, seq=101, ack=101, payload=50)
    at_a = [request, response, again, replace(again, ts_ns=_T0 + 5 * _MS)]
    offset_ns = -2 * _MS  # B is behind, so that its stamps alone would turn time round
    at_b = [
        replace(request, ts_ns=_T0 + 1 * _MS + offset_ns),
        replace(response, ts_ns=_T0 + 2 * _MS + offset_ns),
        replace(again, ts_ns=_T0 + 3 * _MS + offset_ns),
    ]
    forward, reverse = two_ways(columns(at_a), columns(at_b))
    assert forward.sent_ns.tolist() == [_T0]
    assert forward.seen_ns.tolist() == [_T0 - 1 * _MS]
    assert reverse.sent_ns.tolist() == [_T0]
    assert reverse.seen_ns.tolist() == [_T0 + 3 * _MS]
    found = _estimated(forward, reverse)
    assert found.offset_ns == offset_ns
    # 1.5 ms away from its samples a clock may have been slewed by 750 ns.
    assert found.bound_ns == 1 * _MS + 750


def test_connection_seen_one_way_only_is_left_out() -> None:
    """Without the answer nobody knows which side asked."""
    packets = columns([Packet(_T0, CLIENT, SERVER, seq=1, payload=100)])
    forward, reverse = two_ways(packets, packets)
    assert len(forward) == len(reverse) == 0
