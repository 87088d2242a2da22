from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.sensitivity.estimate import (
    Demands,
    SlopeEstimate,
    Status,
    estimate_slope,
    relative_slope,
)
from attribution.sensitivity.instruments import naive_slope
from attribution.sensitivity.sums import (
    BACKEND,
    INJECTED,
    LATENCY,
    OUTCOME,
    VARIABLES,
    CellSums,
    cells_from_columns,
)
from tests.support.attribution.long_way.cell_rows import cell_sums
from tests.support.attribution.long_way.cell_rows import linear_rows as rows
from tests.support.examples import examples

DEMANDS = Demands(relative_per_ms=1e-3)
Values = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def estimate(*args: object, demands: Demands = DEMANDS, **kwargs: float) -> SlopeEstimate:
    """Estimate the slope of drawn rows."""
    return estimate_slope(cell_sums(*rows(*args, **kwargs)), "test", demands)  # type: ignore[arg-type]  # forwards


def test_randomised_delay_of_two_cells_by_hand() -> None:
    """The mean outcome falls by 2 per 10 ms in one cell, by 4 in the other: -0.3 per ms."""
    y = [10.0, 8.0, 20.0, 16.0]
    delay = [0.0, 10.0, 0.0, 10.0]
    values = np.array([[a, 30 + z, 20 + z, z] for a, z in zip(y, delay, strict=True)])
    found = estimate_slope(
        cell_sums(np.array([0, 0, 1, 1]), np.zeros(4, np.int64), values), "hand", DEMANDS
    )
    assert found.injection is not None
    assert found.injection.estimate == pytest.approx(-0.3, rel=1e-14)
    # Leaving a minute out gives -0.4 or -0.2: the jackknife error is sqrt(1/2 (0.1^2 + 0.1^2)).
    assert found.injection.se == pytest.approx(0.1, rel=1e-14)
    assert found.mean_outcome == 13.5
    # The back end varies by nothing but the delay, so there is one instrument only.
    assert found.backend is None
    assert (found.status, found.estimate) == (Status.NOT_YET, None)


def test_sums_give_what_rows_give_to_twelve_digits() -> None:
    """Cells are all that is kept of a billion decisions, so they have to be enough."""
    minute, place, values = rows(1)
    found = estimate(1)
    _, cell = np.unique(np.stack([minute, place]), axis=1, return_inverse=True)
    cell = cell.reshape(-1)
    count = np.bincount(cell)
    own = np.stack([v - (np.bincount(cell, weights=v) / count)[cell] for v in values.T], axis=1)
    y, latency, backend, z = own.T
    jitter = backend - (backend @ z) / (z @ z) * z
    assert found.injection is not None
    assert found.backend is not None
    for instrument, slope in (
        (z, found.injection.estimate),
        (jitter, found.backend.estimate),
        (z, found.estimate),
    ):
        assert slope == pytest.approx((instrument @ y) / (instrument @ latency), rel=1e-12)
    # The error, from rows, one minute left out at a time.
    slopes = [(z * (minute != each)) @ y / ((z * (minute != each)) @ latency) for each in range(40)]
    deviations = np.array(slopes) - found.injection.estimate
    assert found.injection.se == pytest.approx(math.sqrt(39 / 40 * (deviations @ deviations)), 1e-9)


def test_hidden_quality_misleads_regression_but_not_the_delay() -> None:
    """The claim that the product rests on: correlation is wrong here, the interval is not."""
    found = estimate(2)
    assert found.status is Status.IDENTIFIED
    assert found.low is not None
    assert found.high is not None
    assert found.low <= -0.5 <= found.high
    naive = naive_slope(cell_sums(*rows(2)))
    assert naive.high < -0.7
    assert found.decisions_needed == 0


def test_naive_slope_is_plain_regression() -> None:
    """Shown beside ours, it must be what an analyst would get."""
    _, _, values = rows(3)
    slope = np.polyfit(values[:, LATENCY], values[:, OUTCOME], 1)[0]
    assert naive_slope(cell_sums(*rows(3))).estimate == pytest.approx(slope, rel=1e-9)


@pytest.mark.parametrize("jitter_bias", [-1.0, -0.1, 0.1, 1.0])
def test_what_jitter_says_changes_nothing_that_is_shown(jitter_bias: float) -> None:
    """A large basket takes the back end longer and buys differently: no cause, however strong.

    With both instruments in one estimate, such an interval held the truth in none of 300 worlds.
    """
    found = estimate(4, jitter_bias=jitter_bias)
    assert found.injection is not None
    assert found.backend is not None
    assert (found.status, found.estimate) == (Status.IDENTIFIED, found.injection.estimate)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= -0.5 <= found.high
    # What is left of the jitter is half of the latency's: it is a second opinion, and beside it.
    assert found.gap == pytest.approx(found.backend.estimate - found.injection.estimate)
    assert found.gap_se is not None
    assert abs((found.gap or 0.0) - jitter_bias) < 4 * found.gap_se


def test_jitter_alone_is_never_shown() -> None:
    """Without a randomised delay nothing says that jitter is free of intent."""
    found = estimate(5, injected_ms=0.0)
    assert (found.status, found.estimate, found.injection) == (Status.UNCONFIRMED, None, None)
    assert found.backend is not None


def test_weak_data_say_how_many_decisions_are_missing() -> None:
    """The number holds: with that many more, the same noise is small enough."""
    noisy = estimate(6, noise=400.0)
    assert (noisy.status, noisy.estimate) == (Status.NOT_YET, None)
    assert noisy.decisions_needed is not None
    assert f"{noisy.decisions_needed:,} more decisions needed" in noisy.reason
    cells = cell_sums(*rows(6, noise=400.0))
    times = math.ceil(1 + noisy.decisions_needed / noisy.n)
    grown = CellSums(
        np.concatenate([cells.minute + 1_000 * each for each in range(times)]),
        np.tile(cells.n, times),
        np.tile(cells.sums, (times, 1)),
        np.tile(cells.products, (times, 1, 1)),
    )
    assert estimate_slope(grown, "test", DEMANDS).status is Status.IDENTIFIED


def test_few_minutes_are_not_enough_however_many_decisions() -> None:
    """Errors are clustered by minute, and a handful of clusters has no error to speak of."""
    found = estimate(7, minutes=10)
    assert found.status is Status.NOT_YET
    assert (found.minutes, found.estimate, found.decisions_needed) == (10, None, 12_000)


@pytest.mark.parametrize(("delayed", "full"), [(1, 1), (2, 2), (20, 18)])
def test_minutes_without_a_delay_do_not_count(delayed: int, full: int) -> None:
    """Leaving out the one minute with delays leaves nothing: no error, and every test passed."""
    minute, place, values = rows(11, count=12_000, minutes=200)
    plain = np.where(minute < delayed, 0.0, values[:, INJECTED])
    values -= np.outer(plain, [-0.5, 1.0, 1.0, 1.0])
    found = estimate_slope(cell_sums(minute, place, values), "test", DEMANDS)
    assert (found.status, found.estimate) == (Status.NOT_YET, None)
    assert f"amount to {full} full minutes" in found.reason
    among = int((minute < delayed).sum())
    assert found.decisions_needed == pytest.approx(among * (30 / full - 1), abs=1)
    assert (found.injection is None) == (delayed == 1)


def test_minutes_count_by_the_delays_in_them() -> None:
    """Of two with hundreds and 38 with a dozen there are two, and as many again fifteen times."""
    minute, place, values = rows(12, count=20_000)
    few = (minute >= 2) & (np.arange(len(minute)) % 40 > 0)
    cells = cell_sums(minute[~few], place[~few], values[~few])
    found = estimate_slope(cells, "test", DEMANDS)
    assert (found.status, found.minutes) == (Status.NOT_YET, 40)
    assert "amount to 2 full minutes" in found.reason
    assert found.decisions_needed == 14 * found.n


@pytest.mark.parametrize(("share", "is_enough"), [(0.01, False), (0.5, True)])
def test_few_minutes_in_which_a_large_customer_is_delayed_are_few(
    share: float, is_enough: bool
) -> None:
    """It makes two decisions in five; of 600 minutes an arm of 1 % delays it in some six."""
    rng = np.random.default_rng(5)
    minute = np.repeat(np.arange(600), 200)
    unit = np.where(rng.random(len(minute)) < 0.4, 0, rng.integers(1, 2_000, len(minute)))
    delay = 80.0 * (rng.random((600, 2_000)) < share)[minute, unit]
    latency = rng.gamma(4.0, 10.0, len(minute)) + delay
    y = (rng.random(len(minute)) < 0.1).astype(float)
    cells = cell_sums(minute, 0 * minute, np.stack([y, latency, latency, delay], axis=1))
    found = estimate_slope(cells, "test", Demands(1.0))
    assert ("full minutes, 30 are needed" in found.reason) is not is_enough
    assert (found.status is Status.IDENTIFIED) is is_enough


def test_jitter_of_a_few_minutes_is_no_instrument() -> None:
    """Two stormy minutes outweigh all others; what they do to intent nothing could contradict."""
    minute, place, values = rows(14, count=20_000)
    storm = np.where(minute < 2, 40 * np.random.default_rng(14).gamma(2.0, 8.0, len(minute)), 0.0)
    # They take 40 ms of back end where they take the intent of 80.
    values += np.outer(storm, [-1.0, 1.0, 1.0, 0.0])
    found = estimate_slope(cell_sums(minute, place, values), "test", DEMANDS)
    assert (found.backend, found.gap) == (None, None)
    assert found.injection is not None
    assert found.injection.low <= -0.5 <= found.injection.high


@given(
    seed=st.integers(0, 2**32 - 1),
    minutes=st.sampled_from([1, 2, 3, 31, 40]),
    delayed=st.sampled_from([0, 1, 2]),
    places=st.integers(1, 3),
    constant=st.lists(st.sampled_from(["outcome", "latency", "backend", "noise"]), unique=True),
    level=st.sampled_from([0.0, 1e-300, 3.3, -7.1, 1e12]),
    count=st.integers(1, 400),
)
@settings(max_examples=examples(200), deadline=None)
def test_degenerate_data_are_refused_with_a_reason(
    seed: int,
    minutes: int,
    delayed: int,
    places: int,
    constant: list[str],
    level: float,
    count: int,
) -> None:
    """NaN is less than nothing and more than nothing: what no test refuses would be shown."""
    rng = np.random.default_rng(seed)
    minute, place = rng.integers(0, minutes, count), rng.integers(0, places, count)
    # Either the delay is confined to a minute or two, or something does not vary at all.
    is_delayed = (minute < delayed) | bool(constant and {"outcome", "latency"} & {*constant})
    injected = 80.0 * is_delayed * rng.integers(0, 2, count)
    backend = (0.0 if "backend" in constant else rng.gamma(2.0, 8.0, count)) + injected
    latency = np.full(count, 50.0) if "latency" in constant else backend + 20
    noise = 0.0 if "noise" in constant else rng.normal(0, 0.01, count)
    y = np.full(count, level) if "outcome" in constant else level * (1 - 5e-5 * latency) + noise
    cells = cell_sums(minute, place, np.stack([y, latency, backend, injected], axis=1))
    found = estimate_slope(cells, "degenerate", DEMANDS)
    assert found.status is not Status.IDENTIFIED
    assert found.reason
    assert (found.estimate, found.low, found.high) == (None, None, None)
    told = [found.mean_outcome, found.gap, found.gap_se]
    for each in (found.backend, found.injection, found.next_ms, relative_slope(cells)):
        told += [] if each is None else [each.estimate, each.se, each.low, each.high]
        told += [] if each is None else [each.first_stage_f]
    assert all(each is None or math.isfinite(each) for each in told)
    assert found.decisions_needed is None or found.decisions_needed < 2**63


def test_outcome_that_follows_latency_to_the_last_digit_is_refused() -> None:
    """An error of rounding alone would make a band without width."""
    minute, place, values = rows(13)
    values[:, OUTCOME] = 500 - 0.5 * values[:, LATENCY]
    found = estimate_slope(cell_sums(minute, place, values), "test", DEMANDS)
    assert (found.status, found.estimate) == (Status.NOT_YET, None)
    assert "to the last digit" in found.reason
    assert relative_slope(cell_sums(minute, place, values)) is None


def test_outcome_that_is_zero_throughout_is_not_a_slope_of_zero() -> None:
    """Before the first sale there is nothing to be a share of."""
    minute, place, values = rows(8)
    values[:, OUTCOME] = 0.0
    found = estimate_slope(cell_sums(minute, place, values), "test", DEMANDS)
    assert (found.status, found.estimate, found.decisions_needed) == (Status.NOT_YET, None, None)
    assert found.reason == "no decision earned anything in this window"


def test_no_decision_at_all_is_refused() -> None:
    """An empty window is asked for too."""
    empty = CellSums(
        np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, 5)), np.empty((0, 5, 5))
    )
    found = estimate_slope(empty, "test", DEMANDS)
    assert (found.status, found.n, found.estimate) == (Status.UNCONFIRMED, 0, None)


def test_relative_slope_is_a_share_of_the_mean() -> None:
    """Cohorts that spend differently are alike only relative to what they spend."""
    cells = cell_sums(*rows(9))
    share, line = relative_slope(cells), estimate(9).injection
    assert share is not None
    assert line is not None
    assert share.estimate == pytest.approx(line.estimate / estimate(9).mean_outcome)
    assert share.low == pytest.approx(line.low / estimate(9).mean_outcome)
    assert relative_slope(cell_sums(*rows(9, injected_ms=0.0))) is None


def test_columns_of_the_store_become_the_same_cells() -> None:
    """A product in the wrong place would be a slope of something else."""
    cells = cell_sums(*rows(10, count=50, minutes=3))
    names = VARIABLES
    count = len(cells)
    columns: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]] = {
        "minute_ns": cells.minute, "n": cells.n, "cell": np.arange(count), "failed": cells.n * 0,
        "earning": cells.n, "unknown": cells.n * 0,
        "beyond": cells.n * 0.5, "beyond_size": cells.n * 1.5,
        **{name: np.arange(count) * 1.0 for name in ("delay_ms", "enrolled_ms", "answered_ms")},
        **dict.fromkeys(("enrolled", "answered"), cells.n),
        **{f"sum_{name}": cells.sums[:, index] for index, name in enumerate(names)},
        **{
            f"sum_{names[a]}_{names[b]}": cells.products[:, a, b]
            for a in range(len(names)) for b in range(a, len(names))
        },
    }  # fmt: skip
    again = cells_from_columns(columns)
    np.testing.assert_array_equal(again.products, cells.products)
    np.testing.assert_array_equal(again.sums, cells.sums)
    assert again.answers.delay_ms.tolist() == list(range(count))
    total = cells.sums[:, OUTCOME].sum()
    assert again.cut_off == pytest.approx(1.5 * cells.n.sum() / (total + 0.5 * cells.n.sum()))
    # What others earn beyond the limit leaves nothing open of what was measured.
    columns["beyond"][1:] = columns["beyond_size"][1:] = 0.0
    is_first = np.arange(count) == 0
    first = cells_from_columns(columns, is_first)
    counted, n = float(cells.sums[0, OUTCOME]), int(cells.n[0])
    assert first.cut_off == pytest.approx(1.5 * n / (counted + 0.5 * n))
    assert first.whole == pytest.approx((counted + 0.5 * n) / counted)
    assert cells_from_columns(columns, ~is_first).cut_off == 0.0


@given(
    seed=st.integers(0, 2**32 - 1),
    factor=st.sampled_from([0.01, 2.0, 1_000.0]),
    shift=st.sampled_from([-300.0, 0.0, 250.0]),
)
@settings(max_examples=examples(25))
def test_units_of_the_outcome_scale_the_slope_and_levels_do_not_matter(
    seed: int, factor: float, shift: float
) -> None:
    """Cents or dollars: the same answer, and a constant per decision is no effect of latency."""
    minute, place, values = rows(seed % 10_000, count=2_000)
    plain = estimate_slope(cell_sums(minute, place, values), "test", DEMANDS)
    values[:, OUTCOME] = (values[:, OUTCOME] + shift) * factor
    scaled = estimate_slope(cell_sums(minute, place, values), "test", DEMANDS)
    for name in ("backend", "injection"):
        before, after = getattr(plain, name), getattr(scaled, name)
        assert after.estimate == pytest.approx(before.estimate * factor, rel=1e-7)
        assert after.se == pytest.approx(before.se * factor, rel=1e-7)
        assert after.first_stage_f == pytest.approx(before.first_stage_f, rel=1e-9)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=examples(25))
def test_order_of_cells_and_names_of_minutes_do_not_matter(seed: int) -> None:
    """Cells come from the store in any order, and from two stores after a merge."""
    rng = np.random.default_rng(seed)
    cells = cell_sums(*rows(seed % 10_000, count=2_000))
    shuffled = cells.take(rng.permutation(len(cells)))
    renamed = CellSums(shuffled.minute * 60 + 17, shuffled.n, shuffled.sums, shuffled.products)
    before = estimate_slope(cells, "test", DEMANDS)
    after = estimate_slope(renamed, "test", DEMANDS)
    assert after.status is before.status
    for name in ("backend", "injection"):
        one, other = getattr(before, name), getattr(after, name)
        assert other.estimate == pytest.approx(one.estimate, rel=1e-9)
        assert other.se == pytest.approx(one.se, rel=1e-9)


def test_variables_are_in_the_order_of_their_names() -> None:
    """The SQL names them, the code counts them."""
    assert (OUTCOME, LATENCY, BACKEND, INJECTED) == (0, 1, 2, 3)
