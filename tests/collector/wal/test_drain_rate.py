from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.core.times import NS_PER_S
from collector.wal.drain_rate import SECONDS_MAX, SECONDS_MIN, DrainRate
from tests.conftest import ManualClock


def drained(clock: ManualClock, sizes: list[int], seconds_apart: float) -> DrainRate:
    """Return the rate of a log that lost `sizes`, one after each pause."""
    rate = DrainRate(clock)
    for size in sizes:
        clock.ns += round(seconds_apart * NS_PER_S)
        rate.note(size)
    return rate


@pytest.mark.parametrize(
    ("sizes", "seconds_apart", "count", "seconds"),
    [
        pytest.param([], 1.0, 100, SECONDS_MIN, id="nothing left yet"),
        pytest.param([100] * 10, 1.0, 500, 5, id="a hundred bytes a second"),
        pytest.param([100] * 10, 1.0, 501, 6, id="rounded up"),
        pytest.param([100] * 10, 1.0, 0, SECONDS_MIN, id="room again"),
        pytest.param([100] * 10, 1.0, 10**9, SECONDS_MAX, id="far behind"),
        pytest.param([10**9, *[100] * 40], 1.0, 500, 5, id="what is long ago does not count"),
    ],
)
def test_wait_follows_from_the_rate(
    clock: ManualClock, sizes: list[int], seconds_apart: float, count: int, seconds: int
) -> None:
    """A sender that comes back too early costs a request, one that comes too late costs memory."""
    assert drained(clock, sizes, seconds_apart).seconds_for(count) == seconds


def test_rate_of_many_small_releases_is_not_lost(clock: ManualClock) -> None:
    """Calls end by the thousand a second; what is forgotten of them was no idle time."""
    assert drained(clock, [1] * 5_000, 0.001).seconds_for(2_000) == 2


def test_idle_time_is_no_slow_drain(clock: ManualClock) -> None:
    """A service that was started a minute ago, or had a quiet night, was told to be slow: 30 s."""
    rate = DrainRate(clock)
    clock.ns += 60 * NS_PER_S
    rate.begin()

    assert rate.seconds_for(1_000) == SECONDS_MIN

    rate.note(100, took_ns=NS_PER_S // 10)
    clock.ns += 20 * NS_PER_S
    rate.begin()
    assert rate.seconds_for(5_000) == 5


def test_wait_grows_while_nothing_leaves(clock: ManualClock) -> None:
    """Of a store that is away nobody knows when it is back; it was away for so long."""
    rate = drained(clock, [100] * 10, 1.0)

    clock.ns += 7 * NS_PER_S

    assert rate.seconds_for(100) == 7


def test_outage_that_has_ended_counts_for_no_more_than_the_window(clock: ManualClock) -> None:
    """The segment that waited for the store all night says nothing of those behind it."""
    rate = DrainRate(clock)
    rate.note(100, took_ns=3_600 * NS_PER_S)
    for _ in range(19):
        rate.note(100, took_ns=NS_PER_S // 2)

    assert rate.seconds_for(400) == 6


def test_store_that_stopped_is_known_after_the_window(clock: ManualClock) -> None:
    """A rate of before the store went away would promise what nobody keeps."""
    rate = drained(clock, [100] * 10, 1.0)

    clock.ns += 31 * NS_PER_S

    assert rate.seconds_for(100) == SECONDS_MAX


@given(
    sizes=st.lists(st.integers(0, 2**40), max_size=20),
    seconds_apart=st.floats(0, 100),
    count=st.integers(-(2**40), 2**40),
)
def test_wait_is_always_within_its_bounds(
    sizes: list[int], seconds_apart: float, count: int
) -> None:
    """Whatever the log did."""
    rate = drained(ManualClock(), sizes, seconds_apart)

    assert SECONDS_MIN <= rate.seconds_for(count) <= SECONDS_MAX
