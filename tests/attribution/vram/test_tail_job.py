from __future__ import annotations

from dataclasses import replace

import pytest

from attribution.core.config import AttributionConfig
from attribution.core.selection import Selection
from attribution.jobs.attribution import AttributionJob
from attribution.sensitivity.estimate import Status
from attribution.sensitivity.job import SlopeJob
from attribution.vram.tail import CostPoint
from attribution.vram.tail_job import TailJob
from collector.core.config import AttributesConfig
from collector.core.times import NS_PER_DAY, NS_PER_S
from collector.store.connect import Connections
from tests.support.attribution.slopes import halving
from tests.support.attribution.stored import BASE_NS, decision, put_sales, put_spans

CONFIG = AttributionConfig()
POINTS = [CostPoint(50, 0), CostPoint(75, 1000)]
NOW_NS = BASE_NS + 200 * NS_PER_S
WEEK = Selection(NOW_NS - 8 * NS_PER_DAY, NOW_NS)


@pytest.fixture
def week(attributed: Connections) -> Connections:
    """Return the decisions of a week, without what another test knows of their slope."""
    for table in ("slope_models", "slope_groups"):
        attributed.client().command("TRUNCATE TABLE {t:Identifier}", parameters={"t": table})
    return attributed


@pytest.fixture(scope="module")
def attributed(shared_store: Connections) -> Connections:
    """Return a store of 100 decisions of a week, half of them of 100 ms, the others of 200."""
    put_spans(
        shared_store,
        [
            each
            for index in range(100)
            for each in decision(
                f"d{index}", 1_000 * index - index % 8 * 86_400_000, 100 + index % 2 * 100
            )
        ],
    )
    put_sales(shared_store, [f"d{index}" for index in range(100)], "10", told_s=150)
    AttributionJob(CONFIG, AttributesConfig(), shared_store).drain(NOW_NS)
    return shared_store


def test_tail_of_stored_decisions_by_hand(week: Connections) -> None:
    """1,000 USD: fifty keep 1 and fifty 1/2. Held at p75, half of the slow keep 1: a sixth more."""
    SlopeJob(CONFIG, week).store(halving())
    found = TailJob(CONFIG, week).tail(WEEK, POINTS, NOW_NS, target_ms=100)
    assert (found.refusal, found.proposal, found.decisions, found.sampled) == ("", None, 100, 100)
    assert found.earned_usd == 1000
    assert found.tail is not None
    a_year = 1000 / (found.days * 86_400) * 31_557_600
    assert found.tail.at == "last"
    assert found.tail.step.gain_usd_per_year == pytest.approx(a_year / 6)
    assert found.basis.startswith("slope version 1")
    # The reference latency of 80 ms is where nothing was measured below.
    reference = TailJob(CONFIG, week).tail(WEEK, POINTS, NOW_NS)
    assert reference.tail is not None
    assert reference.tail.target_ms == 80


@pytest.mark.parametrize("source", ["", "prior", "unknown"])
def test_tail_is_refused_where_the_slope_is_not_identified(week: Connections, source: str) -> None:
    """With why, and the experiment that would identify it: no figure of a prior is shown."""
    if source:
        SlopeJob(CONFIG, week).store(halving(source, "too few decisions were delayed"))
    found = TailJob(CONFIG, week).tail(WEEK, POINTS, NOW_NS, target_ms=100)
    why = "too few decisions were delayed" if source else "it was never estimated; say `millworth"
    assert found.refusal.startswith(f"the slope is not identified: {why}")
    assert found.tail is None
    assert found.proposal is not None
    assert found.proposal.command.startswith("millworth vram experiments register slope-1 --arm")


def test_no_experiment_is_proposed_like_one_that_was_refused(week: Connections) -> None:
    """It would cost as much, and be refused likewise."""
    refused = replace(halving("prior", "they ask again"), status=str(Status.DECIDED_AGAIN))
    SlopeJob(CONFIG, week).store(refused)
    found = TailJob(CONFIG, week).tail(WEEK, POINTS, NOW_NS, target_ms=100)
    assert found.refusal == "the slope is not identified: they ask again"
    assert found.proposal is None


def test_days_that_say_nothing_of_a_year_are_refused(week: Connections) -> None:
    """A day is no year, unless somebody wants it; what earned nothing known is worth nothing."""
    SlopeJob(CONFIG, week).store(halving())
    job = TailJob(CONFIG, week)
    day = Selection(BASE_NS, NOW_NS)
    found = job.tail(day, POINTS, NOW_NS, target_ms=100, annualise=False)
    assert "say little of a year, 7 are needed; --annualise" in found.refusal
    few = [CostPoint(10, 0), CostPoint(15, 1)]
    assert job.tail(day, few, NOW_NS, target_ms=100, annualise=True).tail is not None
    empty = job.tail(Selection(1, 2), POINTS, NOW_NS, target_ms=100)
    assert empty.refusal == "what the decisions of this window earned is unknown, or nothing"
