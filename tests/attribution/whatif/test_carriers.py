from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.path.spans import Ints
from attribution.whatif.carriers import Carried, Carrier, Dimension, carriers
from attribution.whatif.losses import Side

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


def side(total_ns: Ints, *, usd_per_ns: float = math.nan, is_error: Ints | None = None) -> Side:
    """Return a population that loses so much by the nanosecond, and failed where it is said."""
    failed = np.zeros(len(total_ns), bool) if is_error is None else is_error != 0
    lost = np.multiply(total_ns, usd_per_ns, dtype=np.float64)
    return Side(total_ns, failed, lost, np.ones(len(total_ns), np.bool_))


def told(before: Ints, after: Ints, dimensions: list[Dimension]) -> tuple[Carrier, ...]:
    """Return what values carry of time, where nothing fails and no value is known."""
    return carriers(side(before), side(after), dimensions).values


def by_value(found: tuple[Carrier, ...]) -> dict[str, Carrier]:
    """Return them under the names of their values."""
    return {each.value: each for each in found}


def test_the_region_that_got_slower_carries_the_difference() -> None:
    """Its share is as it was; its decisions take twice as long, and the others as before."""
    before, after = drawn_codes(1, 3000, [1, 1, 1]), drawn_codes(2, 900, [1, 1, 1])
    got = carriers(
        side(latencies(3, before, [50, 50, 50]), usd_per_ns=1e-9),
        side(latencies(4, after, [100, 50, 50]), usd_per_ns=1e-9),
        [Dimension("region", REGIONS, before, after)],
    ).values
    first = got[0]
    assert (first.value, first.is_different) == ("eu-west", True)
    # A third of the decisions take 50 ms more; a third of that would be its share.
    assert first.low_ns < 50 * MS * (1 / 3 - 1 / 9) < first.high_ns
    assert first.usd == pytest.approx(first.excess_ns * 900 * 1e-9)
    assert first.failed_usd == 0
    assert by_value(got)["us-east"].excess_ns < 0


def test_interval_of_no_change_holds_zero_where_decisions_are_slow_now_and_then() -> None:
    """40 decisions after 3,000, 0.5 % of which take 30 s: few hold one, and none is steady."""
    held = 0
    for seed in range(100):
        code = drawn_codes(seed, 3_040, [1, 1, 1])
        took = latencies(100 + seed, code, [50, 50, 50])
        took[np.random.default_rng(200 + seed).random(3_040) < 0.005] = 30_000 * MS
        dimension = Dimension("region", REGIONS, code[40:], code[:40])
        first = by_value(told(took[40:], took[:40], [dimension]))["eu-west"]
        held += first.low_ns <= 0 <= first.high_ns
    assert held >= 80


def test_the_value_that_is_more_among_the_slow_is_named() -> None:
    """Slow decisions against the others: every value is slow there, and one is there far more."""
    fast, slow = drawn_codes(5, 4000, [1, 1, 1]), drawn_codes(6, 400, [8, 1, 1])
    got = told(
        latencies(7, fast, [50, 50, 50]),
        latencies(8, slow, [1, 1, 1]) + 400 * MS,
        [Dimension("region", REGIONS, fast, slow)],
    )
    assert (got[0].value, got[0].is_different) == ("eu-west", True)
    assert got[0].excess_ns > 0
    assert got[0].usd is None


def test_what_all_values_share_is_nobodys() -> None:
    """All regions take twice as long: that is no reason to look at one of them."""
    found = 0
    for seed in range(100):
        before, after = drawn_codes(seed, 900, [6, 3, 1]), drawn_codes(seed + 500, 300, [6, 3, 1])
        got = told(
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
        got = told(
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
    got = told(latencies(3, before, [1, 1, 1]), latencies(4, after, [90, 1, 1]), [regions, alone])
    assert {each.dimension for each in got} == {"region"}
    assert not any(each.is_different for each in got)
    none = np.array([], np.int64)
    empty = carriers(side(none), side(none), [Dimension("region", REGIONS, none, none)])
    assert empty == Carried()


def test_a_loss_that_nobody_knows_is_unknown_and_not_zero() -> None:
    """Of one region no value is known: the other has all of what is known to be lost."""
    before, after = drawn_codes(1, 300, [1, 1]), drawn_codes(2, 300, [1, 1])
    first = side(latencies(3, before, [1, 1]), usd_per_ns=2e-9)
    second = side(latencies(4, after, [5, 1]), usd_per_ns=2e-9)
    second.loss_usd[after == 0] = math.nan
    first, second = replace(first, is_compared=before != 0), replace(second, is_compared=after != 0)
    dimension = Dimension("region", REGIONS[:2], before, after)
    got = by_value(carriers(first, second, [dimension]).values)
    assert got["eu-west"].usd is None
    assert got["us-east"].usd is not None
    nobody = by_value(carriers(side(first.total_ns), second, [dimension]).values)
    assert nobody["us-east"].usd is None


def test_the_dear_region_carries_the_dollars_though_the_cheap_one_got_slower_still() -> None:
    """A tenth of the decisions, at a thousand times the price, 20 ms slower; the others 30 ms.

    At the mean price of all the dear one would seem to save what the cheap one loses.
    """
    before, after = drawn_codes(1, 20_000, [9, 1]), drawn_codes(2, 20_000, [9, 1])
    price = np.array([1e-12, 1e-9])
    first, second = side(latencies(3, before, [50, 50])), side(latencies(4, after, [80, 70]))
    first = replace(first, loss_usd=first.total_ns * price[before])
    second = replace(second, loss_usd=second.total_ns * price[after])
    dimension = Dimension("region", REGIONS[:2], before, after)
    got = by_value(carriers(first, second, [dimension]).values)
    cheap, dear = got["eu-west"], got["us-east"]
    assert cheap.excess_ns > 0 > dear.excess_ns
    assert dear.usd is not None
    assert cheap.usd is not None
    # What it loses itself, and nine tenths of that are beyond its share.
    assert dear.usd == pytest.approx(0.9 * 0.1 * 20 * MS * 1e-9 * 20_000, rel=0.2)
    assert cheap.usd == pytest.approx(-dear.usd)


def failing(seed: int, codes: Ints, shares: list[float]) -> Ints:
    """Return which decisions failed, each by the share of its value."""
    drawn: Ints = (np.random.default_rng(seed).random(len(codes)) < np.array(shares)[codes]) * 1
    return drawn


def failed_of(seed: int, sizes: tuple[int, int], shares: tuple[list[float], ...]) -> Carried:
    """Return a comparison of decisions that all take as long, of which some shares fail."""
    codes = [drawn_codes(seed + index, size, [10, 9, 1]) for index, size in enumerate(sizes)]
    first, second = (
        side(latencies(seed + 20_000 + index, code, [50, 50, 50]),
             is_error=failing(seed + 9000 + index, code, share))
        for index, (code, share) in enumerate(zip(codes, shares, strict=True))
    )  # fmt: skip
    return carriers(first, second, [Dimension("region", REGIONS, *codes)])


def test_the_region_that_fails_is_named_though_nothing_got_slower() -> None:
    """A tenth of its decisions fail and lose two dollars each: there was no word of it."""
    before, after = drawn_codes(1, 3000, [1, 1, 1]), drawn_codes(2, 900, [1, 1, 1])
    failed = failing(5, after, [0.1, 0.0, 0.0])
    first = replace(side(latencies(3, before, [50, 50, 50])), loss_usd=np.full(3000, 0.01))
    second = side(latencies(4, after, [50, 50, 50]), is_error=failed)
    second = replace(second, loss_usd=np.where(failed, 2.0, 0.01))
    got = carriers(first, second, [Dimension("region", REGIONS, before, after)])
    eu = got.values[0]
    assert (eu.value, eu.is_different, eu.failed_before) == ("eu-west", True, 0)
    assert eu.failed_after == failed.sum()
    assert eu.failed_q < 0.001 < eu.q
    share = float((before == 0).mean())
    assert eu.failed_usd == pytest.approx(2 * failed.sum() * (1 - share))
    assert sum(each.usd or 0 for each in got.values) == pytest.approx(0, abs=1e-9)
    assert got.is_failing_different
    assert got.failures is not None
    assert got.failures.low > 0
    # The other way round the same region is told, as what costs less.
    back = carriers(second, first, [Dimension("region", REGIONS, after, before)])
    assert by_value(back.values)["eu-west"].is_different
    assert back.values[0].usd is not None
    assert back.values[-1].usd is not None
    assert back.values[0].usd > 0 > back.values[-1].usd


@pytest.mark.parametrize(
    ("sizes", "shares"),
    [
        # A region that fails more often, before as after.
        ((200, 120), ([0.02, 0.1, 0.3], [0.02, 0.1, 0.3])),
        # Failures are rare: one of them in a small box is no news.
        ((4000, 40), ([0.001] * 3, [0.001] * 3)),
    ],
)
def test_equal_populations_are_rarely_said_to_fail_differently(
    sizes: tuple[int, int], shares: tuple[list[float], ...]
) -> None:
    """At most one comparison in twenty errs, of regions and of all together."""
    found = 0
    for seed in range(300):
        got = failed_of(seed, sizes, shares)
        found += got.is_failing_different or any(each.is_different for each in got.values)
    # Three standard errors above 5 % of 300.
    assert found <= 26


def test_that_all_regions_fail_more_is_no_reason_to_look_at_one() -> None:
    """A fifth of each fails: all of them together are told, and rarely one."""
    got = [failed_of(seed, (2000, 400), ([0.0] * 3, [0.2] * 3)) for seed in range(100)]
    assert all(each.is_failing_different for each in got)
    # Three standard errors above 5 % of 100.
    assert sum(any(v.is_different for v in each.values) for each in got) <= 12


def test_of_two_values_that_are_as_dear_the_one_that_costs_stands_first() -> None:
    """What one carries the other saves, to the cent: which stood first was chance."""
    for seed in range(10):
        before, after = drawn_codes(seed, 900, [1, 1]), drawn_codes(seed + 50, 300, [1, 1])
        slow = seed % 2
        got = carriers(
            side(latencies(3, before, [50, 50]), usd_per_ns=1e-9),
            side(latencies(4, after, [50, 250] if slow else [250, 50]), usd_per_ns=1e-9),
            [Dimension("region", REGIONS[:2], before, after)],
        ).values
        assert [each.value for each in got] == [REGIONS[slow], REGIONS[1 - slow]]


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
    got = told(
        latencies(seed, codes[0], [10, 20, 30]),
        latencies(seed + 1, codes[1], [30, 20, 10]),
        [Dimension("region", REGIONS, *codes)],
    )
    assert sum(each.excess_ns for each in got) == pytest.approx(0, abs=1.0)
    assert all(0 <= each.p <= each.q + 1e-12 <= 1 + 2e-12 for each in got)
    assert all(each.low_ns <= each.excess_ns <= each.high_ns for each in got)
    assert sum(each.decisions_after for each in got) == len(after)
