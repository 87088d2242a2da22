from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.path.spans import Ints
from attribution.whatif.carriers import Carrier, Dimension, carriers, prices

MS = 1_000_000
REGIONS = ("eu-west", "us-east", "ap-south")


def latencies(seed: int, codes: Ints, mean_ms: list[float]) -> Ints:
    """Return skewed latencies, whose mean is that of the value of each decision."""
    rng = np.random.default_rng(seed)
    drawn = rng.exponential(1.0, len(codes)) * np.array(mean_ms)[codes] * MS
    found: Ints = drawn.astype(np.int64)
    return found


def drawn_codes(seed: int, count: int, shares: list[float]) -> Ints:
    """Return values of decisions drawn by their shares."""
    rng = np.random.default_rng(seed)
    drawn: Ints = rng.choice(len(shares), count, p=np.array(shares) / sum(shares))
    return drawn


def by_value(found: tuple[Carrier, ...]) -> dict[str, Carrier]:
    """Return them under the names of their values."""
    return {each.value: each for each in found}


def test_the_region_that_got_slower_carries_the_difference() -> None:
    """Its share is as it was; its decisions take twice as long, and the others as before."""
    before, after = drawn_codes(1, 3000, [1, 1, 1]), drawn_codes(2, 900, [1, 1, 1])
    got = carriers(
        latencies(3, before, [50, 50, 50]),
        latencies(4, after, [100, 50, 50]),
        [Dimension("region", REGIONS, before, after)],
        (np.full(3000, 1e-9), np.full(900, 1e-9)),
    )
    first = got[0]
    assert (first.value, first.is_different) == ("eu-west", True)
    # A third of the decisions take 50 ms more; a third of that would be its share.
    assert first.low_ns < 50 * MS * (1 / 3 - 1 / 9) < first.high_ns
    assert first.usd_per_decision == pytest.approx(first.excess_ns * 1e-9)
    assert by_value(got)["us-east"].excess_ns < 0


def test_interval_of_no_change_holds_zero_where_decisions_are_slow_now_and_then() -> None:
    """40 decisions after 3,000, 0.5 % of which take 30 s: few hold one, and none is steady."""
    held = 0
    for seed in range(100):
        code = drawn_codes(seed, 3_040, [1, 1, 1])
        took = latencies(100 + seed, code, [50, 50, 50])
        took[np.random.default_rng(200 + seed).random(3_040) < 0.005] = 30_000 * MS
        dimension = Dimension("region", REGIONS, code[40:], code[:40])
        first = by_value(carriers(took[40:], took[:40], [dimension]))["eu-west"]
        held += first.low_ns <= 0 <= first.high_ns
    assert held >= 80


def test_the_value_that_is_more_among_the_slow_is_named() -> None:
    """Slow decisions against the others: every value is slow there, and one is there far more."""
    fast, slow = drawn_codes(5, 4000, [1, 1, 1]), drawn_codes(6, 400, [8, 1, 1])
    got = carriers(
        latencies(7, fast, [50, 50, 50]),
        latencies(8, slow, [1, 1, 1]) + 400 * MS,
        [Dimension("region", REGIONS, fast, slow)],
    )
    assert (got[0].value, got[0].is_different) == ("eu-west", True)
    assert got[0].excess_ns > 0
    assert got[0].usd_per_decision is None


def test_what_all_values_share_is_nobodys() -> None:
    """All regions take twice as long: that is no reason to look at one of them."""
    found = 0
    for seed in range(100):
        before, after = drawn_codes(seed, 900, [6, 3, 1]), drawn_codes(seed + 500, 300, [6, 3, 1])
        got = carriers(
            latencies(seed + 1000, before, [50, 50, 50]),
            latencies(seed + 1500, after, [100, 100, 100]),
            [Dimension("region", REGIONS, before, after)],
        )
        found += any(each.is_different for each in got)
    # Three standard errors above 5 % of 100.
    assert found <= 12


def test_equal_populations_are_rarely_called_different() -> None:
    """Some regions are always slower, and one is rare: at most one comparison in twenty errs."""
    found = 0
    for seed in range(300):
        before = drawn_codes(seed, 200, [10, 9, 1])
        after = drawn_codes(seed + 5000, 120, [10, 9, 1])
        got = carriers(
            latencies(seed + 9000, before, [20, 60, 300]),
            latencies(seed + 12_000, after, [20, 60, 300]),
            [Dimension("region", REGIONS, before, after)],
        )
        found += any(each.is_different for each in got)
    # Three standard errors above 5 % of 300.
    assert found <= 26


def test_few_decisions_say_nothing_and_one_value_explains_nothing() -> None:
    """29 are too few to be believed; where all have one value there is nothing to tell apart."""
    before, after = drawn_codes(1, 500, [1, 1, 1]), drawn_codes(2, 29, [1, 0, 0])
    regions = Dimension("region", REGIONS, before, after)
    alone = Dimension("channel", ("web",), before * 0, after * 0)
    got = carriers(
        latencies(3, before, [1, 1, 1]), latencies(4, after, [90, 1, 1]), [regions, alone]
    )
    assert {each.dimension for each in got} == {"region"}
    assert not any(each.is_different for each in got)
    none = np.array([], np.int64)
    assert carriers(none, none, [Dimension("region", REGIONS, none, none)]) == ()


def test_a_worth_that_nobody_knows_is_unknown_and_not_zero() -> None:
    """Of one region no value is known; the other has its price."""
    before, after = drawn_codes(1, 300, [1, 1]), drawn_codes(2, 300, [1, 1])
    price = np.where(after == 0, math.nan, 2e-9)
    got = by_value(
        carriers(
            latencies(3, before, [1, 1]),
            latencies(4, after, [5, 1]),
            [Dimension("region", REGIONS[:2], before, after)],
            (np.full(300, 2e-9), price),
        )
    )
    assert got["eu-west"].usd_per_decision is None
    assert got["us-east"].usd_per_decision == pytest.approx(got["us-east"].excess_ns * 2e-9)


def test_the_dear_region_carries_the_dollars_though_the_cheap_one_got_slower_still() -> None:
    """A tenth of the decisions, at a thousand times the price, 20 ms slower; the others 30 ms.

    At the mean price of all the dear one would seem to save what the cheap one loses.
    """
    before, after = drawn_codes(1, 20_000, [9, 1]), drawn_codes(2, 20_000, [9, 1])
    got = by_value(
        carriers(
            latencies(3, before, [50, 50]),
            latencies(4, after, [80, 70]),
            [Dimension("region", REGIONS[:2], before, after)],
            prices(np.array([1e-12, 1e-9]), before, after),
        )
    )
    cheap, dear = got["eu-west"], got["us-east"]
    assert cheap.excess_ns > 0 > dear.excess_ns
    assert dear.usd_per_decision is not None
    assert cheap.usd_per_decision is not None
    # What it loses itself, and nine tenths of that are beyond its share.
    assert dear.usd_per_decision == pytest.approx(0.9 * 0.1 * 20 * MS * 1e-9, rel=0.2)
    assert cheap.usd_per_decision == pytest.approx(-dear.usd_per_decision)


def test_a_value_of_one_dear_decision_is_priced_as_all_are() -> None:
    """One sale of a thousand dollars would put its region before the one that got slower."""
    before, after = drawn_codes(1, 900, [1, 1, 1]), drawn_codes(2, 300, [1, 1, 0])
    after[0] = 2
    price = prices(np.array([1e-9, 1e-9, 1e-6]), before, after)
    got = carriers(
        latencies(3, before, [10, 10, 10]),
        latencies(4, after, [90, 10, 10]),
        [Dimension("region", REGIONS, before, after)],
        price,
    )
    assert got[0].value == "eu-west"
    assert sum(each.usd_per_decision or 0 for each in got) == pytest.approx(0, abs=1e-9)


@given(
    seed=st.integers(0, 10_000),
    before=st.lists(st.integers(0, 2), min_size=1, max_size=40),
    after=st.lists(st.integers(0, 2), min_size=1, max_size=40),
)
def test_excesses_of_a_dimension_sum_to_zero(
    seed: int, before: list[int], after: list[int]
) -> None:
    """Nothing is carried twice, whatever the populations; and q is never below p."""
    codes = np.array(before, np.int64), np.array(after, np.int64)
    got = carriers(
        latencies(seed, codes[0], [10, 20, 30]),
        latencies(seed + 1, codes[1], [30, 20, 10]),
        [Dimension("region", REGIONS, *codes)],
    )
    assert sum(each.excess_ns for each in got) == pytest.approx(0, abs=1.0)
    assert all(0 <= each.p <= each.q + 1e-12 <= 1 + 2e-12 for each in got)
    assert all(each.low_ns <= each.excess_ns <= each.high_ns for each in got)
    assert sum(each.decisions_after for each in got) == len(after)
