from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from attribution.core.config import AttributionConfig
from attribution.core.selection import Selection
from attribution.jobs.attribution import AttributionJob
from attribution.sensitivity.job import best_cells
from attribution.vram.impact import ImpactJob
from attribution.vram.modes import ModeCell, ModeImpact, impacts
from collector.core.config import AttributesConfig
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from tests.support.attribution.stored import (
    BASE_NS,
    decision,
    put_outcome,
    put_sales,
    put_spans,
    trace_id,
)

HOUR_NS = 3_600 * NS_PER_S


def cell(mode: str, ms: list[float], usd: list[float] | None = None, **changes: Any) -> ModeCell:  # noqa: ANN401  any field
    """Return the sums of some decisions."""
    earned = usd or []
    told: dict[str, Any] = {
        "hour_ns": 0, "action": "offer", "region": "eu", "channel": "web", "mode": mode,
        "n": len(ms), "failed": 0, "sum_ms": sum(ms), "sum_ms2": sum(x * x for x in ms),
        "earned": len(earned), "unknown": 0, "earning": sum(x != 0 for x in earned),
        "sum_usd": sum(earned),
        "sum_usd2": sum(x * x for x in earned),
    }  # fmt: skip
    return ModeCell(**(told | changes))


def by_mode(cells: list[ModeCell]) -> dict[str, ModeImpact]:
    """Return every mode by its name."""
    return {each.mode: each for each in impacts(cells)[1]}


def test_degraded_is_held_against_normal_of_its_own_hour() -> None:
    """By hand: 40 degraded ones 20 ms slower in each of two hours, and never 70.

    In the slow hour all take 100 ms more, and nearly all are degraded: (10 x 20 + 30 x 120) / 40 of
    both and (30 x 0 + 10 x 100) / 40 of the normal ones are 95 - 25 = 70 ms apart.
    """
    cells = [
        cell("normal", [10, 12] * 15), cell("degraded-cache", [30, 32] * 5),
        cell("normal", [110, 112] * 5, hour_ns=HOUR_NS),
        cell("degraded-cache", [130, 132] * 15, hour_ns=HOUR_NS),
    ]  # fmt: skip
    got = by_mode(cells)["degraded-cache"]
    assert got.raw_ms == pytest.approx(70.0)
    assert got.ms is not None
    assert got.ms.change == pytest.approx(20.0)
    assert (got.ms.compared, got.verdict) == (40, "slower")
    # Variance of 10 and 12 by turns: n / (n - 1), of both 40 / 38, and the larger of these counts:
    # (10^2 + 30^2) (1/9 + 40/38/30) = 146.199.
    assert got.ms.high - got.ms.change == pytest.approx(1.959964 * 146.199**0.5 / 40, rel=1e-5)
    assert by_mode(cells)["normal"].verdict == "compared with"


def test_dollars_of_a_mode_are_its_own_and_rounded_once() -> None:
    """60 decisions earn a dollar less than their twins: 60.00 dollars, without any spread."""
    cells = [cell("normal", [10.0] * 60, [3.0] * 60), cell("degraded-risk", [9.0] * 60, [2.0] * 60)]
    got = by_mode(cells)["degraded-risk"]
    assert (got.total_usd, got.total_low_usd, got.total_high_usd) == (Decimal("-60.00"),) * 3
    assert (got.mean_usd, got.verdict) == (2.0, "faster")


def test_too_few_or_without_a_twin_is_said_and_not_guessed() -> None:
    """29 in one hour; 100 in another where nothing was normal."""
    cells = [
        cell("normal", [10.0] * 50, [1.0] * 50),
        cell("degraded-few", [90.0] * 29, [0.0] * 29),
        cell("degraded-alone", [90.0] * 100, [0.0] * 100, hour_ns=HOUR_NS),
    ]
    for mode, uncompared in (("degraded-few", 29), ("degraded-alone", 100)):
        got = by_mode(cells)[mode]
        assert (got.ms, got.usd, got.total_usd, got.verdict) == (None, None, None, "n too small")
        assert got.uncompared == uncompared


def test_without_normal_what_says_no_mode_is_compared_with() -> None:
    """A sender that names only degraded ones."""
    base, found = impacts([cell("", [10.0] * 40), cell("degraded-x", [20.0] * 40)])
    assert (base, found[0].verdict, found[1].verdict) == ("", "compared with", "slower")


def test_money_of_few_sales_is_said_to_be_too_little() -> None:
    """30 decisions of which none sold beside 2,000 of which one in a hundred did: no 0 +- 0.

    Where twenty were to be expected none is a finding, with the spread that both have together.
    """
    sold = [100.0] * 20 + [0.0] * 1_980
    few = [cell("normal", [10.0] * 2_000, sold), cell("degraded-x", [90.0] * 30, [0.0] * 30)]
    got = by_mode(few)["degraded-x"]
    assert (got.usd, got.total_usd, got.verdict) == (None, None, "slower")
    many = [few[0], cell("degraded-x", [90.0] * 2_000, [0.0] * 2_000)]
    usd = by_mode(many)["degraded-x"].usd
    assert usd is not None
    # Variance of one in a hundred at 100 USD and of none, 99.05 and 49.52 of both.
    half = 1.959964 * (99.05 / 2_000 + 49.52 / 2_000) ** 0.5
    assert (usd.low, usd.high) == pytest.approx((-1 - half, -1 + half), rel=1e-4)


def test_interval_covers_the_truth_as_often_as_it_says() -> None:
    """400 worlds of 200 decisions, a third of them degraded and 5 ms slower: 95 % +- 3."""
    rng = np.random.default_rng(11)
    covered = 0
    for _ in range(400):
        hours = rng.normal(50, 30, 4)
        cells = []
        for index, level in enumerate(hours.tolist()):
            normal = level + rng.normal(0, 8, 34)
            degraded = level + 5 + rng.normal(0, 12, 16)
            cells.append(cell("normal", normal.tolist(), hour_ns=index))
            cells.append(cell("degraded-x", degraded.tolist(), hour_ns=index))
        got = by_mode(cells)["degraded-x"].ms
        assert got is not None
        covered += got.low <= 5 <= got.high
    assert 0.92 <= covered / 400 <= 0.98


def test_modes_are_read_from_the_store_with_what_they_earned(store: Connections) -> None:
    """40 normal ones of 100 ms earn three dollars, 40 degraded ones of 140 ms one."""
    spans = []
    for index in range(40):
        spans += decision(f"n{index}", 1_000 * index, 100, decision__mode="normal")
        spans += decision(f"g{index}", 1_000 * index, 140, decision__mode="degraded-cache")
    put_sales(store, [f"n{index}" for index in range(40)], "3")
    put_sales(store, [f"g{index}" for index in range(40)], "1")
    # A refund takes back what one of them earned.
    put_outcome(store, "r", decision_id=trace_id("n0"), kind="refund", margin="3")
    put_spans(store, spans)
    config = AttributionConfig(outcome_delay_s=60)
    AttributionJob(config, AttributesConfig(), store).drain(BASE_NS + 100 * NS_PER_S)
    window = Selection(BASE_NS, BASE_NS + 3600 * NS_PER_S)
    told = ImpactJob(config, store).modes(window, BASE_NS + 3600 * NS_PER_S)
    assert (told.outcome, told.compared_with) == ("margin", "normal")
    degraded = next(each for each in told.modes if each.mode == "degraded-cache")
    assert degraded.ms is not None
    assert degraded.ms.change == pytest.approx(40.0)
    assert degraded.mean_usd == 1.0
    # 39 x 3 dollars over forty are 2.925 each: 40 x (1 - 2.925).
    assert degraded.total_usd == Decimal("-77.00")
    young = ImpactJob(config, store).modes(window, BASE_NS + 60 * NS_PER_S)
    assert [(each.mean_usd, each.usd) for each in young.modes] == [(None, None)] * 2
    assert all(each.decisions == 40 for each in young.modes)


def test_earnings_are_unknown_where_no_outcome_is_sent(store: Connections) -> None:
    """Nothing earned is what a shop without a feed of outcomes looks like."""
    put_spans(
        store, [each for index in range(40) for each in decision(f"n{index}", 1_000 * index, 100)]
    )
    config = AttributionConfig(outcome_delay_s=60)
    AttributionJob(config, AttributesConfig(), store).drain(BASE_NS + 100 * NS_PER_S)
    window = Selection(BASE_NS, BASE_NS + 3600 * NS_PER_S)
    (mode,) = ImpactJob(config, store).modes(window, BASE_NS + 3600 * NS_PER_S).modes
    assert (mode.decisions, mode.mean_usd) == (40, None)


def test_amount_that_is_unknown_of_most_that_sold_is_not_what_figures_rest_on(
    store: Connections,
) -> None:
    """Of 200 decisions four sold, and the margin of one is known: not of 98.5 %."""
    put_spans(
        store, [each for index in range(200) for each in decision(f"n{index}", 100 * index, 100)]
    )
    for index in range(4):
        put_outcome(store, f"o{index}", decision_id=trace_id(f"n{index}"), revenue="100",
                    margin=None if index else "10")  # fmt: skip
    config = AttributionConfig(outcome_delay_s=60)
    AttributionJob(config, AttributesConfig(), store).drain(BASE_NS + 100 * NS_PER_S)
    hour_ns = BASE_NS + HOUR_NS
    told = ImpactJob(config, store).modes(Selection(BASE_NS, hour_ns), hour_ns)
    assert (told.outcome, [each.mean_usd for each in told.modes]) == ("revenue", [2.0])
    outcome, found = best_cells(store, config, BASE_NS, hour_ns)
    assert (outcome, found.cells.sums[:, 0].sum()) == ("revenue", 400)
