from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.core.segments import SEGMENTS
from attribution.whatif.compare import Population, compare, false_discovery_shares

MS = 1_000_000
STORE = SEGMENTS.index(("decision", "store"))
NETWORK = SEGMENTS.index(("ingress", "network"))


def population(
    seed: int, counts: list[int], base_ms: list[float], store_ms: float = 0.0
) -> Population:
    """Return decisions of several groups, every segment skewed, each group with a base of its own.

    Args:
        seed: of the noise.
        counts: decisions of each group.
        base_ms: mean of every segment by group.
        store_ms: how much longer the store takes in the decision stage.
    """
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(counts)), counts)
    mean = np.array(base_ms)[group][:, None]
    segment = rng.exponential(1.0, (len(group), len(SEGMENTS))) * mean
    segment[:, STORE] += store_ms
    return Population((segment * MS).astype(np.int64), group, np.zeros(len(group), np.bool_))


def test_the_segment_that_got_slower_is_named_with_its_interval() -> None:
    """5 ms more in the store; the other fifteen are as they were."""
    got = compare(population(11, [400], [4.0]), population(12, [400], [4.0], store_ms=5.0))
    first = got.differences[0]
    assert first.segment == STORE
    assert first.is_different
    assert first.low_ns < 5 * MS < first.high_ns
    assert [each.segment for each in got.differences if each.is_different] == [STORE]


def test_interval_of_no_change_holds_zero_where_decisions_are_slow_now_and_then() -> None:
    """40 decisions against 3,000, 0.5 % of which take 30 s: it held 0 in 17 of 100."""
    held = 0
    for seed in range(100):
        both = population(seed, [3_040], [4.0])
        slow = np.random.default_rng(1_000 + seed).random(3_040) < 0.005
        both.segment_ns[slow, STORE] = 30_000 * MS
        one, other = (
            Population(both.segment_ns[part], both.group[part], both.is_error[part])
            for part in (slice(40, None), slice(40))
        )
        store = next(d for d in compare(one, other).differences if d.segment == STORE)
        held += store.low_ns <= 0 <= store.high_ns
    assert held >= 80


def test_more_of_a_slow_action_is_mix_and_no_segment() -> None:
    """The mean rises by half, and yet no decision of either kind got slower."""
    before = population(3, [900, 100], [1.0, 10.0])
    after = population(4, [500, 500], [1.0, 10.0])
    got = compare(before, after)
    assert got.mix_ns / got.change_ns == pytest.approx(1.0, abs=0.1)
    assert not any(each.is_different for each in got.differences)


def test_few_decisions_say_nothing_however_far_apart() -> None:
    """29 against 500: n too small, and the page says so."""
    got = compare(population(5, [29], [1.0]), population(6, [500], [1.0], store_ms=50.0))
    assert not got.is_enough
    assert not any(each.is_different for each in got.differences)
    assert got.differences[0].q < 0.001


def test_dollars_rank_the_segments_and_unknown_worth_is_unknown() -> None:
    """Two groups: a nanosecond of the second costs, that of the first nobody knows."""
    before = population(7, [200, 200], [1.0, 1.0])
    after = Population(before.segment_ns.copy(), before.group, before.is_error)
    after.segment_ns[:200, NETWORK] += 30 * MS  # the group without a price
    after.segment_ns[200:, STORE] += 10 * MS
    got = compare(before, after, [math.nan, 1e-9])
    assert got.differences[0].segment == STORE
    assert got.differences[0].usd_per_decision == pytest.approx(0.5 * 10 * MS * 1e-9)
    network = next(each for each in got.differences if each.segment == NETWORK)
    assert network.usd_per_decision == 0.0
    assert network.change_ns == pytest.approx(15 * MS)
    unknown = compare(before, after, [math.nan, math.nan])
    assert all(each.usd_per_decision is None for each in unknown.differences)
    assert all(each.usd_per_decision is None for each in compare(before, after).differences)


@pytest.mark.parametrize("failed_ms", [0.0, 2_000.0], ids=["fast", "slow"])
def test_time_of_what_failed_is_told_and_costs_nothing(failed_ms: float) -> None:
    """A third fails, at once or by a time-out, and nobody else takes longer."""
    before = population(7, [300], [1.0])
    is_error = np.arange(300) % 3 == 0
    after = Population(before.segment_ns.copy(), before.group, is_error)
    after.segment_ns[is_error, STORE] = round(failed_ms * MS)
    got = compare(before, after, [1e-9])
    store = next(each for each in got.differences if each.segment == STORE)
    assert (store.change_ns > 0) == (failed_ms > 0)
    answered = compare(before, after.answered(), [1e-9])
    of_answered = next(each for each in answered.differences if each.segment == STORE)
    assert of_answered.usd_per_decision is not None
    assert store.usd_per_decision == pytest.approx(of_answered.usd_per_decision * 2 / 3)
    every = Population(after.segment_ns, after.group, np.ones(300, np.bool_))
    assert {each.usd_per_decision for each in compare(before, every, [1e-9]).differences} == {0.0}


def test_what_only_one_population_has_is_counted_and_not_compared() -> None:
    """A region that is new explains nothing about the old ones."""
    got = compare(population(8, [100], [1.0]), population(9, [100, 40], [1.0, 30.0]))
    assert got.uncompared == 40
    assert got.mix_ns / got.change_ns > 0.95


@given(
    seed=st.integers(0, 10_000),
    before=st.lists(st.integers(0, 9), min_size=3, max_size=3),
    after=st.lists(st.integers(0, 9), min_size=3, max_size=3),
)
def test_mix_and_segments_sum_to_the_difference(
    seed: int, before: list[int], after: list[int]
) -> None:
    """Nothing of the difference is lost or counted twice, whatever the populations."""
    got = compare(
        population(seed, before, [1.0, 5.0, 9.0]),
        population(seed + 1, after, [2.0, 5.0, 1.0], store_ms=3.0),
        # Of each pair of action and region, though no decision may have the last of them.
        [1e-9] * 4,
    )
    parts = got.mix_ns + sum(each.change_ns for each in got.differences)
    assert parts == pytest.approx(got.change_ns, abs=1e-3)
    assert got.change_ns == pytest.approx(got.mean_after_ns - got.mean_before_ns, abs=1e-3)
    assert all(0 <= each.p <= each.q <= 1 for each in got.differences)


def test_equal_populations_are_rarely_called_different() -> None:
    """At most one comparison of equal populations in twenty names a segment, as stated."""
    found = 0
    for seed in range(400):
        got = compare(
            population(2 * seed, [120, 80], [2.0, 6.0]),
            population(2 * seed + 1, [80, 120], [2.0, 6.0]),
        )
        found += any(each.is_different for each in got.differences)
    # Three standard errors above 5 % of 400.
    assert found <= 33


def spiky(draw: np.random.Generator, count: int) -> Population:
    """Return decisions of which one in a hundred waits thirty times as long for the store."""
    segment = np.full((count, len(SEGMENTS)), MS, np.int64)
    segment[:, STORE] = draw.exponential(MS, count) * np.where(draw.random(count) < 0.01, 30, 1)
    return Population(segment, np.zeros(count, np.int64), np.zeros(count, np.bool_))


@pytest.mark.parametrize(("few", "many"), [(30, 1000), (100, 1000)])
def test_few_decisions_without_a_rare_slow_one_are_no_discovery(few: int, many: int) -> None:
    """One in a hundred takes thirty times as long; most samples of thirty hold none."""
    found = 0
    for seed in range(200):
        draw = np.random.default_rng(seed)
        got = compare(spiky(draw, many), spiky(draw, few))
        found += any(each.is_different for each in got.differences)
    # Three standard errors above 5 % of 200.
    assert found <= 19


def test_false_discovery_shares_agree_with_a_worked_example() -> None:
    """Worked by hand from the definition, with a tie and a step that has to be smoothed."""
    got = false_discovery_shares(np.array([0.01, 0.04, 0.03, 0.02, 0.9]))
    assert got == pytest.approx([0.05, 0.05, 0.05, 0.05, 0.9])
