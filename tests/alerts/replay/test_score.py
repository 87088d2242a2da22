from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from alerts.replay.report import Stretch
from alerts.replay.score import Firing, Losses, score
from alerts.replay.series import Series, Steps
from alerts.replay.walk import Instants
from alerts.rules.tiers import DollarBurnConfig
from collector.core.times import NS_PER_S
from tests.conftest import NOW_NS

HOUR_S = 3_600
WEEK_NS = 7 * 86_400 * NS_PER_S
# A budget of $720 in 30 days is $1 an hour; what loses faster is a stretch.
BUDGET = DollarBurnConfig(name="b", budget_usd=720, budget_for="all")


def at(seconds: float) -> int:
    """Return an instant."""
    return NOW_NS + round(seconds * NS_PER_S)


def losses(by_second: dict[int, float]) -> Losses:
    """Return losses at some seconds of two hours."""
    starts = np.array([at(second) for second in sorted(by_second)], np.int64)
    micro = np.array([round(by_second[s] * 1e6) for s in sorted(by_second)], np.int64)
    ones = np.ones(len(starts), np.int64)
    steps = Steps(
        decisions=ones, unvalued=ones * 0, loss=micro, loss_low=micro, loss_high=micro,
        loss_squared=micro / 1e6, basis={"margin": ones}, slope_source={"prior": ones},
        unknown=ones * 0,
    )  # fmt: skip
    ends = np.array([at(second) for second in range(10, 2 * HOUR_S + 1, 10)], np.int64)
    found = Instants(ends, ends, 300 * NS_PER_S)
    return Losses.of(BUDGET, [Series(starts, steps)], found, at(0))


def firing(from_s: float, to_s: float | None) -> Firing:
    """Return one alert of a service."""
    return Firing("api", "", at(from_s), None if to_s is None else at(to_s))


# Two stretches: $30 in ten minutes, which is 4 % of the budget, and $1, which is not 2 %.
STORY = losses({**dict.fromkeys(range(600, 1_200), 0.05), 4_000: 1.0, 7_000: 0.01})


def test_dollars_are_caught_or_missed_by_stretch() -> None:
    """The three sums are all that was lost, and each alert is worth it or not."""
    early, late, noise = firing(900, 1_300), firing(1_100, 1_150), firing(5_500, 5_600)
    found = score([early, late, noise], WEEK_NS, STORY)
    assert (found.alerts, found.alerts_per_week) == (3, 3.0)
    assert found.actionable_share == pytest.approx(2 / 3)
    assert (found.caught_usd, found.missed_usd, found.within_usd) == (
        Decimal(30), Decimal(1), Decimal("0.01"),
    )  # fmt: skip
    [first, _] = STORY.stretches
    assert (first.began_ns, first.ended_ns) == (at(600), at(1_200))
    assert found.delay_p50_s == 300
    assert found.lost_before_usd == Decimal(15)


def test_alert_that_fires_already_catches_what_begins_then() -> None:
    """Somebody is awake: nothing of it is lost before."""
    found = score([firing(100, None)], WEEK_NS, STORY)
    assert (found.caught_usd, found.missed_usd) == (Decimal(31), Decimal(0))
    assert (found.delay_p50_s, found.lost_before_usd) == (0, Decimal(0))


def test_rule_is_earlier_than_the_other_one() -> None:
    """Of the stretches that both alert in."""
    ours, others = [firing(700, 800)], [firing(760, 900), firing(3_990, 4_100)]
    assert score(ours, WEEK_NS, STORY, others).earlier_p50_s == 60
    assert score(others, WEEK_NS, STORY, ours).earlier_p50_s == -60
    assert score(ours, WEEK_NS, STORY).earlier_p50_s is None


def test_what_nobody_knows_is_unknown() -> None:
    """Without dollars there are alerts a week, and nothing is zero."""
    found = score([firing(1, 2)], WEEK_NS, None)
    assert (found.alerts, found.alerts_per_week) == (1, 1.0)
    assert (found.caught_usd, found.missed_usd, found.actionable_share) == (None, None, None)
    quiet = score([], WEEK_NS, STORY)
    assert (quiet.actionable_share, quiet.delay_p50_s, quiet.missed_usd) == (
        None,
        None,
        Decimal(31),
    )


def test_firing_touches_what_it_overlaps() -> None:
    """Its ends count."""
    stretch = Stretch("*", "*", at(10), at(20), at(10), at(20), Decimal(1))
    inside = [firing(5, 10), firing(20, 30), firing(12, None), firing(5, 40)]
    outside = [firing(5, 9), firing(21, None)]
    assert all(each.touches(stretch) for each in inside)
    assert not any(each.touches(stretch) for each in outside)
