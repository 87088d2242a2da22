"""Merging intervals."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.core.intervals import merge
from tests.support.examples import examples

INTERVALS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 20)).map(lambda pair: (pair[0], sum(pair)))
)


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
