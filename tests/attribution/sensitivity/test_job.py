"""When the slope is estimated again."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from attribution.core.config import AttributionConfig
from attribution.core.selection import CALIBRATION_ACTION
from attribution.sensitivity.cells import read_slope_cells
from attribution.sensitivity.job import SlopeJob
from attribution.sensitivity.registered import Arm, Experiment, with_control
from attribution.sensitivity.sums import AGAIN_MAX
from collector.core.times import NS_PER_HOUR, NS_PER_MINUTE, NS_PER_S
from collector.store.connect import Connections
from tests.conftest import NOW_NS
from tests.support.attribution.drawn import put_drawn, put_reloaded, unit_in
from tests.support.attribution.stored import BASE_NS


def test_restart_estimates_no_slope_that_is_younger_than_an_hour(store: Connections) -> None:
    """A service that is killed every minute read four weeks of decisions every minute."""
    config = AttributionConfig()
    assert SlopeJob(config, store).run_due(NOW_NS) is not None
    again = SlopeJob(config, store)
    assert again.run_due(NOW_NS + NS_PER_HOUR - NS_PER_S) is None
    assert again.run_due(NOW_NS + NS_PER_HOUR) is not None
    assert again.run_due(NOW_NS + NS_PER_HOUR + NS_PER_S) is None


def test_other_settings_are_estimated_under_at_once(store: Connections) -> None:
    """Dollars would rest for an hour on a window that was asked for no longer."""
    assert SlopeJob(AttributionConfig(), store).run_due(NOW_NS) is not None
    shorter = SlopeJob(AttributionConfig(slope_window_days=7), store)
    report = shorter.run_due(NOW_NS + NS_PER_S)
    assert report is not None
    assert report.stored is not None
    assert shorter.run_due(NOW_NS + 2 * NS_PER_S) is None


def test_slope_that_its_window_has_left_is_not_forgotten_in_silence(store: Connections) -> None:
    """The prior is back, which one's own experiment may have excluded: the version says why."""
    job = SlopeJob(AttributionConfig(), store)
    prior = job.run_once(NOW_NS).model
    job.store(
        replace(
            prior,
            version=2,
            source="estimate",
            status="identified",
            to_ns=NOW_NS,
            effective_ns=NOW_NS + 1,
            median_per_ns=1e-9,
            low_per_ns=5e-10,
            high_per_ns=2e-9,
        )
    )
    report = job.run_once(NOW_NS + 40 * 24 * NS_PER_HOUR)
    assert (report.model.source, report.stored) == ("prior", 3)
    assert "; version 2 was identified on decisions until 2033-05-18, and the last 28 days" in (
        report.model.reason
    )


def test_draws_are_read_with_what_they_are_of(store: Connections) -> None:
    """Slow ones decide twice; of a batch of the control nineteen further decisions count."""
    twice = Experiment(
        name="twice", owner="ana", purpose="", arms=with_control([Arm("slow", 0.5, 50.0)]),
        targets={}, from_ns=BASE_NS, to_ns=BASE_NS + 9 * NS_PER_MINUTE, budget_usd=Decimal(1),
        registered_ns=BASE_NS - 1,
    )  # fmt: skip
    told = []
    for minute in range(2):
        begin_ns = BASE_NS + minute * NS_PER_MINUTE
        for arm in ("slow", "control"):
            unit = unit_in(twice, arm, begin_ns, str(minute))
            told.append((begin_ns, "price", arm, unit))
            told.append((begin_ns + NS_PER_S, CALIBRATION_ACTION, arm, unit))
            if arm == "slow":
                told.append((begin_ns + 2 * NS_PER_S, "price", arm, unit))
    unit = unit_in(twice, "control", BASE_NS, "batch")
    told += [(BASE_NS + index, "price", "control", unit) for index in range(30)]
    put_drawn(store, twice, told)
    draws = read_slope_cells(
        store, AttributionConfig(), BASE_NS, BASE_NS + 10 * NS_PER_MINUTE, "converted"
    ).cells.draws
    assert draws is not None
    assert draws.delay_ms.tolist() == [0, 50, 0, 50]
    assert draws.draws.tolist() == [2, 1, 1, 1]
    assert draws.again.tolist() == [AGAIN_MAX, 1, 0, 1]
    assert draws.cell.tolist() == [0, 0, 1, 1]


def test_slope_of_a_part_of_the_decisions_says_of_which(store: Connections) -> None:
    """An experiment in one region measures that one: of the other its slope is an assumption."""
    end_ns = BASE_NS + 40 * NS_PER_MINUTE
    half = Experiment(
        name="half", owner="ana", purpose="", arms=with_control([Arm("slow", 0.5, 50.0)]),
        targets={"region": ("eu",)}, from_ns=BASE_NS, to_ns=end_ns, budget_usd=Decimal(1),
        registered_ns=BASE_NS - 1,
    )  # fmt: skip
    decisions = []
    for index in range(400):
        start_ns = BASE_NS + index // 10 * NS_PER_MINUTE + index % 10 * NS_PER_S
        arm = ("slow", "control")[index % 2] if index % 10 < 4 else ""
        unit = unit_in(half, arm, start_ns, str(index)) if arm else ""
        decisions.append((start_ns, "offer", arm, unit))
    put_drawn(store, half, decisions)
    model = SlopeJob(AttributionConfig(outcome_delay_s=0), store).run_once(end_ns).model
    assert "measured on 160 of 400 decisions, those in experiments, and assumed of the others" in (
        model.reason
    )
    assert (model.decisions, model.experiments) == (160, ["half"])


def test_experiment_whose_draws_decide_again_is_refused(store: Connections) -> None:
    """Of visits that are reloaded, and sell as the others do, decisions earn half."""
    end_ns = put_reloaded(store, BASE_NS)
    model = SlopeJob(AttributionConfig(outcome_delay_s=0), store).run_once(end_ns).model
    assert (model.source, model.status) == ("prior", "delays change how many decisions are made")
    assert "the same units make 133.3% more decisions in their minute" in model.reason
    assert model.is_refused
