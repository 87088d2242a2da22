from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.whatif.shapley import EXACT_PLAYERS_MAX, shapley


def test_two_changes_that_only_help_together_share_evenly() -> None:
    """One at a time each is worth nothing, and yet the whole is 100."""
    assert shapley(2, lambda who: [100 if len(who) == 2 else 0]) == [[50], [50]]


def test_a_change_that_does_nothing_has_no_share() -> None:
    """Otherwise a segment that nobody touched would be credited."""
    assert shapley(3, lambda who: [7 * (0 in who) + 5 * (2 in who)]) == [[7], [0], [5]]


def test_what_cannot_be_shared_evenly_still_sums_to_the_whole() -> None:
    """Three equal players of a whole of 100: the odd one goes to the first, every time."""
    assert shapley(3, lambda who: [100 if len(who) == 3 else 0]) == [[34], [33], [33]]


@given(
    players=st.integers(1, 4),
    worth=st.lists(st.integers(-1_000, 1_000), min_size=16, max_size=16),
)
def test_shares_are_the_average_over_every_order(players: int, worth: list[int]) -> None:
    """The definition, order by order."""

    def value(who: frozenset[int]) -> Sequence[int]:
        return [worth[sum(1 << each for each in who)] if who else 0]

    got = [share[0] for share in shapley(players, value)]
    sums = [0] * players
    for order in permutations(range(players)):
        for index, player in enumerate(order):
            before = frozenset(order[:index])
            sums[player] += value(before | {player})[0] - value(before)[0]
    assert sum(got) == value(frozenset(range(players)))[0]
    for share, total in zip(got, sums, strict=True):
        assert math.floor(total / math.factorial(players)) <= share
        assert share <= math.floor(total / math.factorial(players)) + 1


@pytest.mark.parametrize("players", [EXACT_PLAYERS_MAX + 1, 16])
def test_drawn_orders_sum_to_the_whole_and_repeat(players: int) -> None:
    """A page that is opened twice shows the same shares."""

    def value(who: frozenset[int]) -> Sequence[int]:
        return [sum(each**2 for each in who) + 10 * (len(who) // 2), len(who)]

    first, again = shapley(players, value, orders=20), shapley(players, value, orders=20)
    assert first == again
    assert [sum(column) for column in zip(*first, strict=True)] == list(
        value(frozenset(range(players)))
    )
    assert all(share[1] == 1 for share in first)


def test_nobody_has_no_shares() -> None:
    """Without a change there is nothing to share."""
    assert shapley(0, lambda _: [5]) == []
