"""Merged ranges, and the interval of a share: that of the books, whatever the counts."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.core.intervals import Z90, Z95, merge, overlap, wilson
from tests.support.examples import examples

INTERVALS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 20)).map(lambda pair: (pair[0], sum(pair)))
)


@given(INTERVALS, st.integers(0, 90), st.integers(0, 90))
def test_overlap_is_how_many_numbers_lie_in_both(
    intervals: list[tuple[int, int]], begin: int, end: int
) -> None:
    """By counting them one by one."""
    merged = merge(intervals)
    covered = {number for one, other in merged for number in range(one, other)}
    assert overlap(merged, begin, end) == len(covered & set(range(begin, end)))


def test_intervals_that_overlap_or_touch_are_one() -> None:
    """And what lies inside another adds nothing."""
    assert merge([(9, 10), (0, 5), (1, 2), (5, 7)]) == [(0, 7), (9, 10)]
    assert merge([]) == []


@settings(max_examples=examples(300))
@given(INTERVALS)
def test_merged_intervals_cover_the_same_and_nothing_twice(
    intervals: list[tuple[int, int]],
) -> None:
    """Halves of numbers tell intervals that touch from those that leave a gap."""
    found = merge(intervals)

    def covered(among: list[tuple[int, int]]) -> set[float]:
        return {half / 2 for begin, end in among for half in range(2 * begin, 2 * end + 1)}

    assert covered(found) == covered(intervals)
    assert all(end < begin for (_, end), (begin, _) in pairwise(found))


def test_quantiles_are_those_of_every_table() -> None:
    """What is shown as 90 or 95 % is that."""
    assert pytest.approx((1.644854, 1.959964), abs=5e-7) == (Z90, Z95)


def test_interval_agrees_with_a_worked_example() -> None:
    """Ten of a hundred: 5.52 to 17.44 %, as in Wilson's paper and every table since."""
    assert wilson(10, 100) == pytest.approx((0.0552, 0.1744), abs=5e-5)


def test_interval_of_none_leaves_some_possible() -> None:
    """With none of 24 seen, one in eight is still possible."""
    assert wilson(0, 24) == pytest.approx((0.0, 0.138), abs=0.001)
    assert wilson(12, 24) == pytest.approx((0.314, 0.686), abs=0.001)


@given(total=st.integers(1, 10_000), data=st.data())
def test_interval_holds_the_share_and_stays_a_share(total: int, data: st.DataObject) -> None:
    """Whatever the counts, none and all included."""
    count = data.draw(st.integers(0, total))
    low, high = wilson(count, total)
    assert 0 <= low <= count / total + 1e-12
    assert count / total - 1e-12 <= high <= 1
