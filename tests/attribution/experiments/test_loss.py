"""What delays have cost: by the arms as they were drawn, whatever the shape of the effect."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.experiments.loss import Loss, loss_of
from attribution.path.spans import Ints
from attribution.revenue.sums import Floats
from attribution.sensitivity.estimate import Demands, estimate_slope
from attribution.sensitivity.sums import Answers, CellSums
from tests.support.attribution.long_way.cell_rows import cell_sums
from tests.support.attribution.long_way.visits import reloaded, visits
from tests.support.examples import examples

ARMS_MS = (0.0, 10.0, 100.0)


def arms(
    minute: Floats | Ints,
    delay_ms: Floats,
    earned: Floats,
    waited: float = 1.0,
    before: Floats | float = 0.0,
) -> CellSums:
    """Return decisions as sums, a row a minute and arm."""
    dice = np.random.default_rng(5)
    of, arm = minute.astype(np.int64), np.searchsorted(ARMS_MS, delay_ms)
    network = 60 + dice.normal(0, 5, len(of))
    latency = network + waited * delay_ms
    values = [earned, latency, latency - 30, delay_ms, before + 0 * delay_ms]
    rows = cell_sums(of, arm, np.stack(values, axis=1))
    cell, row_arm = np.unique(np.stack([of, arm]), axis=1)
    nothing = np.zeros(len(rows), np.int64)
    latency_ms = rows.sums[:, 1]
    answers = Answers(
        cell, np.array(ARMS_MS)[row_arm], rows.n, latency_ms, rows.n, latency_ms,
        nothing, nothing, nothing, np.zeros(len(rows)),
    )  # fmt: skip
    return replace(rows, answers=answers)


def world(
    seed: int, shares: tuple[float, ...], kept: tuple[float, ...], count: int = 40_000
) -> tuple[CellSums, float]:
    """Return decisions of forty minutes that earn 10 or nothing, and what the delays cost."""
    dice = np.random.default_rng(seed)
    arm = dice.choice(len(shares), count, p=shares)
    earned = np.where(dice.random(count) < 0.2 * np.array(kept)[arm], 10.0, 0.0)
    truth = 2.0 * float((1 - np.array(kept)[arm]).sum())
    minute = np.arange(count) * 40 // count
    return arms(minute, np.array(ARMS_MS)[arm], earned), truth


def loss(rows: CellSums, outcome: str = "margin") -> Loss | None:
    """Return what an experiment of these says."""
    return loss_of(estimate_slope(rows, "", Demands(1e-3)), rows, outcome, 30)


@pytest.mark.parametrize(
    ("shares", "kept"),
    [
        ((0.73, 0.25, 0.02), (1.0, 1.0, 0.7)),
        ((0.7, 0.2, 0.1), (1.0, 0.8, 0.8)),
        ((0.5, 0.0, 0.5), (1.0, 1.0, 0.9)),
        ((0.1, 0.45, 0.45), (1.0, 0.98, 0.9)),
    ],
    ids=["a threshold", "saturated", "one arm", "a small control"],
)
def test_loss_is_what_was_lost_whatever_the_shape(
    shares: tuple[float, ...], kept: tuple[float, ...]
) -> None:
    """Arms of 10 ms that cost nothing were charged by the line of those of 100: twice too much."""
    worlds = [world(seed, shares, kept) for seed in range(40)]
    found = [(loss(rows), truth) for rows, truth in worlds]
    told = [(each, truth) for each, truth in found if each is not None]
    assert len(told) >= 35
    held = [float(each.low_usd) <= truth <= float(each.high_usd) for each, truth in told]
    assert sum(held) >= len(told) - 5
    ratio = sum(float(each.usd) for each, _ in told) / sum(truth for _, truth in told)
    assert ratio == pytest.approx(1.0, abs=0.15)
    assert all(each.proven_usd is not None and each.proven_usd < truth for each, truth in told)


@given(effect=st.lists(st.floats(0, 10), min_size=3, max_size=3), minutes=st.integers(30, 60))
@settings(max_examples=examples(30))
def test_loss_is_exact_where_nothing_is_left_to_chance(effect: list[float], minutes: int) -> None:
    """Each minute has its own mean, three controls, two of one arm and one of the other."""
    minute = np.repeat(np.arange(minutes), 6)
    delay = np.tile([0.0, 0.0, 0.0, 10.0, 10.0, 100.0], minutes)
    lost = np.tile([0.0, 0.0, 0.0, effect[0], effect[0], effect[1]], minutes)
    earned = 20.0 + minute - lost
    rows = arms(minute, delay, earned)
    estimate = replace(estimate_slope(rows, "", Demands(1e-3)), n=6 * minutes)
    found = loss_of(estimate, rows, "revenue", 30)
    assert found is not None
    truth = minutes * (2 * effect[0] + effect[1])
    assert float(found.usd) == pytest.approx(truth, abs=0.01)
    assert float(found.low_usd) <= truth + 0.01
    assert found.decisions == 6 * minutes


@pytest.mark.parametrize("waited", [0.45, 1.8, 0.0])
def test_loss_asks_not_how_many_milliseconds_were_waited(waited: float) -> None:
    """Work beside the delay hides a part of it; what was lost was lost."""
    dice = np.random.default_rng(4)
    delay = np.array(ARMS_MS)[dice.choice(3, 8_000, p=(0.6, 0.2, 0.2))]
    earned = 50 - 0.1 * delay + dice.normal(0, 1, 8_000)
    found = loss(arms(np.arange(8_000) / 200, delay, earned, waited))
    assert found is not None
    truth = 0.1 * float(delay.sum())
    assert float(found.low_usd) < truth < float(found.high_usd)
    assert float(found.usd) == pytest.approx(truth, rel=0.05)


def test_large_sales_count_whole_and_are_no_part_of_a_proof() -> None:
    """Nobody knows whether latency takes them as it takes the rest: the interval is as wide."""
    rows, _ = world(3, (0.7, 0.0, 0.3), (1.0, 1.0, 0.8))
    plain = loss(rows)
    dice = np.random.default_rng(6)
    # A sale of 1,000 in one of two controls of a minute, none among the delayed.
    hit = (rows.answers.delay_ms == 0) & (dice.random(len(rows)) < 0.5)
    large = replace(rows, answers=replace(rows.answers, beyond=1_000.0 * hit))
    found = loss(large)
    assert plain is not None
    assert found is not None
    assert found.proven_usd == plain.proven_usd
    n0, n1 = (int(rows.n[rows.answers.delay_ms == each].sum()) for each in (0.0, 100.0))
    more = 1_000.0 * float(hit.sum()) * n1 / n0
    assert float(found.usd - plain.usd) == pytest.approx(more, rel=0.05)
    assert found.high_usd - found.low_usd > 2 * (plain.high_usd - plain.low_usd)


def test_what_units_bought_before_makes_it_more_precise() -> None:
    """It was the same before the draw: the effect stays, and less of the rest is chance."""
    dice = np.random.default_rng(9)
    minute = np.arange(12_000) / 300
    delay = np.where(dice.random(12_000) < 0.3, 100.0, 0.0)
    before = dice.normal(0, 3, 12_000)
    earned = 20 + 2 * before - 0.02 * delay + dice.normal(0, 1, 12_000)
    plain, held = loss(arms(minute, delay, earned)), loss(arms(minute, delay, earned, 1.0, before))
    assert plain is not None
    assert held is not None
    assert 4 * (held.high_usd - held.low_usd) < plain.high_usd - plain.low_usd
    truth = 0.02 * float(delay.sum())
    assert float(held.low_usd) < truth < float(held.high_usd)


def test_nothing_is_proven_early_and_nothing_said_of_what_is_no_money() -> None:
    """What ends an experiment is looked at every ten minutes: a proof asks for more."""
    rows, _ = world(1, (0.6, 0.0, 0.4), (1.0, 1.0, 0.5))
    found = loss(rows)
    assert found is not None
    assert found.proven_usd is not None
    assert found.usd - found.proven_usd > 1.5 * float(found.usd - found.low_usd)
    early = loss(rows.take(rows.minute < 20))
    assert early is not None
    assert early.proven_usd is None
    assert loss(rows, "converted") is None
    assert loss(rows.cells()) is None
    assert loss(rows.take(rows.answers.delay_ms > 0)) is None
    assert loss(rows.take(rows.minute == 3)) is None


def test_loss_is_unknown_where_slow_units_decide_again() -> None:
    """The arms "proved" a loss of visits that were reloaded, and none of which was lost."""
    dice = np.random.default_rng(3)
    cells = reloaded(visits(dice), 0.25, dice).cells(dice)
    assert loss(cells) is None
    found = loss(replace(cells, draws=None))
    assert found is not None
    assert found.low_usd > 0
    assert math.isfinite(float(found.high_usd))
