from __future__ import annotations

import itertools
import json
import random
from dataclasses import replace
from decimal import Decimal

import pytest

from attribution.core.config import AttributionConfig, ExperimentLimits
from attribution.experiments.job import GUARD, ExperimentJob
from attribution.jobs.attribution import AttributionJob
from attribution.sensitivity.estimate import Status
from attribution.sensitivity.job import SlopeJob
from attribution.sensitivity.registered import Arm, Experiment, with_control
from collector.audit.log import check_audit, read_audit
from collector.core.config import AttributesConfig
from collector.core.errors import InputError
from collector.core.times import NS_PER_MINUTE, NS_PER_S
from collector.store.connect import Connections
from tests.support.attribution.drawn import put_drawn, put_sold, unit_in
from tests.support.attribution.slopes import halving
from tests.support.attribution.stored import (
    BASE_NS,
    MS,
    decision,
    outcome,
    put_outcomes,
    put_spans,
    trace_id,
)

CONFIG = AttributionConfig(outcome_delay_s=0)
HALF = Experiment(
    name="half",
    owner="ana",
    purpose="what 50 ms cost",
    arms=with_control([Arm("slow", 0.5, 50.0)]),
    targets={},
    from_ns=BASE_NS,
    to_ns=BASE_NS + 3600 * NS_PER_S,
    budget_usd=Decimal("1.00"),
    registered_by="ana",
)
END_NS = BASE_NS + 40 * NS_PER_MINUTE
TOLD_S = 40 * 60 - 1  # all came in at once: each minute of reception would be a step of the job


def run_decisions(
    store: Connections,
    arms: list[str],
    per_minute: int = 4,
    *,
    is_enrolled: bool = True,
    first_usd: str = "10",
) -> None:
    """Store decisions that are in the experiment, each of ten dollars but where it was delayed."""
    spans = []
    for at, arm in enumerate(arms):
        delay_ms = 50 if arm == "slow" else 0
        start_ms = (at // per_minute) * 60_000 + (at % per_minute) * 1_000
        drawn = {
            "decision__experiment": "half",
            "decision__arm": arm,
            "decision__injected_delay_ns": str(delay_ms * 1_000_000),
            "decision__unit": unit_in(HALF, arm, BASE_NS + start_ms * 1_000_000, str(at)),
        }
        own = drawn if is_enrolled else {}
        spans += decision(f"d{at}", start_ms, 100 + delay_ms, TOLD_S, **own)
    put_spans(store, spans)
    put_outcomes(
        store,
        [
            outcome(f"o{at}", decision_id=trace_id(f"d{at}"),
                    margin="8" if arm == "slow" else "10" if at else first_usd,
                    event_s=at // per_minute * 60 + 10, received_s=TOLD_S)
            for at, arm in enumerate(arms)
        ],
    )  # fmt: skip
    AttributionJob(CONFIG, AttributesConfig(), store).drain(END_NS)


def test_registered_experiment_runs_until_its_end(store: Connections) -> None:
    """Services hear of it between its dates; the audit has who asked for what."""
    job = ExperimentJob(CONFIG, store)
    job.register(replace(HALF, from_ns=BASE_NS + NS_PER_S), BASE_NS)
    states = [job.one("half").state(BASE_NS + s * NS_PER_S) for s in (0, 1, 3600)]
    assert states == ["scheduled", "running", "ended"]
    assert [[e.name for e in job.active(BASE_NS + s * NS_PER_S)] for s in (0, 1, 3600)] == [
        [], ["half"], [],
    ]  # fmt: skip
    (audited,) = read_audit(store.client())
    assert (audited.actor, audited.action) == ("ana", "experiment_registered")
    assert json.loads(audited.detail)["budget_usd"] == "1.00"
    with pytest.raises(InputError, match="no experiment 'other'; registered: half"):
        job.one("other")


def test_stopped_is_stopped_for_good(store: Connections) -> None:
    """At once for services that ask, for every other process too, and only once."""
    job, other = ExperimentJob(CONFIG, store), ExperimentJob(CONFIG, store)
    job.register(HALF, BASE_NS)
    assert [each.name for each in job.active(BASE_NS)] == ["half"]
    job.stop("half", "bob", "the site is slow", BASE_NS + 1)
    assert job.active(BASE_NS + 2) == other.active(BASE_NS + 2) == []
    kept = other.one("half")
    assert (kept.stopped_ns, kept.stopped_by) == (BASE_NS + 1, "bob")
    assert kept == replace(
        HALF, registered_ns=BASE_NS, stopped_ns=BASE_NS + 1, stopped_by="bob",
        stop_reason="the site is slow",
    )  # fmt: skip
    with pytest.raises(InputError, match="half is stopped already"):
        job.stop("half", "bob", "again", BASE_NS + 3)
    rows = read_audit(store.client())
    assert [each.action for each in rows] == ["experiment_registered", "experiment_stopped"]
    assert check_audit(rows).broken_seq is None


def test_nothing_runs_where_the_service_forbids_it(store: Connections) -> None:
    """The switch of the configuration is over every registration."""
    ExperimentJob(CONFIG, store).register(HALF, BASE_NS)
    off = CONFIG.model_copy(update={"experiments": ExperimentLimits(enabled=False)})
    assert ExperimentJob(off, store).active(BASE_NS) == []


def test_guard_lets_a_sound_experiment_run_and_reports_it(store: Connections) -> None:
    """40 delays of 50 ms at 1.7 % a 100 ms of some nine dollars; the arms say two dollars each."""
    job = ExperimentJob(CONFIG, store)
    job.register(replace(HALF, budget_usd=Decimal(1000)), BASE_NS)
    # The arms take turns by minute, so that they do not coincide with a place in it.
    run_decisions(store, ["slow" if (at + at // 4) % 2 else "control" for at in range(160)])
    assert job.run_once(END_NS) == 0
    told = job.report("half", END_NS)
    assert [arm.decisions for arm in told.measured.arms] == [80, 80]
    assert [arm.delay_ms_mean for arm in told.measured.arms] == [50.0, 0.0]
    # Nine dollars are what is left of 9.02: half of them 20 ms late, half 70.
    sound = 9 / ((0.995**0.2 + 0.995**0.7) / 2)
    # x 80 x (1 - (1 - 0.017)^0.5)
    assert float(told.measured.at_risk_usd) == pytest.approx(80 * sound * 0.0085366, abs=0.01)
    assert told.loss is not None
    # Two dollars less for 50 ms, in every one of 80: exactly, since nothing else varies.
    assert (told.loss.usd, told.loss.outcome) == (Decimal("160.00"), "margin")
    assert told.loss.low_usd <= 160 <= told.loss.high_usd


def test_guard_stops_what_overspends(store: Connections) -> None:
    """And says so in the registry and the audit."""
    job = ExperimentJob(CONFIG, store)
    job.register(HALF, BASE_NS)
    run_decisions(store, ["slow" if (at + at // 4) % 2 else "control" for at in range(160)])
    assert job.run_once(END_NS) == 1
    stopped = job.one("half")
    assert stopped.state(END_NS) == "stopped"
    assert stopped.stop_reason.startswith("the budget is spent: 6.1")
    assert job.run_once(END_NS) == 0
    assert read_audit(store.client())[-1].actor == GUARD


def test_guard_stops_a_loss_that_the_arms_prove(store: Connections) -> None:
    """Where the slope in force says six dollars, and the customers say 160."""
    job = ExperimentJob(CONFIG, store)
    job.register(replace(HALF, budget_usd=Decimal(100)), BASE_NS)
    run_decisions(store, ["slow" if (at + at // 4) % 2 else "control" for at in range(160)])
    assert job.run_once(END_NS) == 1
    assert job.one("half").stop_reason.startswith("the arms prove a loss of 160.00 USD")


def test_guard_stops_where_the_arms_have_other_shares(store: Connections) -> None:
    """One in five of the delayed is missing: whatever lost it may depend on the delay."""
    job = ExperimentJob(CONFIG, store)
    job.register(replace(HALF, budget_usd=Decimal(10_000)), BASE_NS)
    run_decisions(store, ["slow" if at % 4 == 0 else "control" for at in range(160)])
    assert job.run_once(END_NS) == 1
    assert job.one("half").stop_reason.startswith("sample ratio mismatch: chi-square 40.0")


def test_arms_of_another_assigner_are_used_for_nothing(store: Connections) -> None:
    """A flag service keeps each customer in one arm: our draw agrees in half of the minutes."""
    told = [
        (BASE_NS + minute * NS_PER_MINUTE + unit * MS, "offer", arm, f"customer {unit}")
        for minute in range(20)
        for unit in range(50)
        for arm in (("slow", "control")[unit % 2],)
    ]
    put_drawn(store, replace(HALF, budget_usd=Decimal(10_000), registered_ns=BASE_NS), told)
    job = ExperimentJob(CONFIG, store)
    found = job.report("half", END_NS)
    assert found.estimate.n == 0, "before the guard looks, too"
    ratio = found.measured.sample_ratio
    assert ratio.observed == (500, 500)
    assert 400 < ratio.undrawn < 600
    assert job.run_once(END_NS) == 1
    stopped = job.one("half")
    assert stopped.stop_reason.startswith(f"{ratio.undrawn} of the newest 1000 draws are not in")
    assert stopped.is_disproved


def test_class_that_follows_the_delay_is_no_cell_to_compare_arms_in(store: Connections) -> None:
    """Who is slow takes the fallback, which sells least: in it the slow earn more.

    Of ten slow draws of a minute six take it, and buy in one of six; of the others three in four
    do. Of the control two take it, of whom nobody buys, and four of eight others.
    """
    told, sold = [], []
    slow = [("fallback", at == 0) for at in range(6)] + [("offer", at != 0) for at in range(4)]
    control = [("fallback", False)] * 2 + [("offer", at < 6) for at in range(8)]
    for minute, (arm, kinds) in itertools.product(
        range(40), (("slow", slow), ("control", control))
    ):
        for number, (action, buys) in enumerate(kinds):
            begin_ns = BASE_NS + minute * NS_PER_MINUTE + number * NS_PER_S
            unit = unit_in(HALF, arm, begin_ns, f"{minute}/{number}")
            told.append((begin_ns, action, arm, unit))
            # One of each arm does the other thing in every fourth minute: what never varies has
            # no error.
            if buys != (number == 3 and minute % 4 == 0):
                sold.append((begin_ns, f"d{len(told) - 1}", 10))
    put_drawn(store, replace(HALF, budget_usd=Decimal(10_000), registered_ns=BASE_NS), told)
    put_sold(store, sold)
    found = ExperimentJob(CONFIG, store).report("half", END_NS)
    assert "action follows the delay in half: " in found.estimate.reason
    assert found.estimate.injection is not None
    # 42.5 of a hundred buy where 57.5 do, at ten dollars: a dollar and a half less for 50 ms.
    assert found.estimate.injection.estimate == pytest.approx(-1.5 / 50, rel=0.01)


@pytest.mark.parametrize("written_in_s", [1, 86_400], ids=["seconds", "days"])
def test_sales_of_a_day_and_a_customer_who_was_in_both_arms_tell_nothing(
    store: Connections, written_in_s: int
) -> None:
    """Each customer decides in two minutes, once in either arm, and buys in one, both or none."""
    told, keys, sold = [], [], []
    dice = random.Random(2)
    for minute, number in itertools.product(range(40), range(10)):
        begin_ns = BASE_NS + minute * NS_PER_MINUTE + number * NS_PER_S
        arm = ("slow", "control")[(minute + number) % 2]
        told.append((begin_ns, "offer", arm, unit_in(HALF, arm, begin_ns, str(number))))
        keys.append(f"customer {minute // 2}/{number}")
        if dice.random() < (0.2 if arm == "slow" else 0.6):
            unit_ns = written_in_s * NS_PER_S
            sold.append((begin_ns // unit_ns * unit_ns, keys[-1]))
    experiment = replace(HALF, budget_usd=Decimal(10_000), registered_ns=BASE_NS)
    put_drawn(store, experiment, told, keys)
    put_sold(store, [(at_ns, "", 10) for at_ns, _ in sold], [key for _, key in sold], END_NS)
    found = ExperimentJob(CONFIG, store).report("half", END_NS)
    if written_in_s == 1:
        assert found.estimate.status is not Status.UNSURE
        assert found.loss is not None
        assert found.loss.low_usd > 0
        return
    assert found.estimate.status is Status.UNSURE
    assert f"{len(sold)} sales are of decisions in several arms" in found.estimate.reason
    assert found.loss is None


@pytest.mark.parametrize("names_a_unit", [True, False])
def test_guard_counts_a_unit_once_a_minute(store: Connections, *, names_a_unit: bool) -> None:
    """A customer with fifty decisions in a minute is one draw; without a unit each is its own."""
    one = replace(HALF, arms=with_control([Arm("slow", 0.05, 50.0)]), budget_usd=Decimal(10_000))
    job = ExperimentJob(CONFIG, store)
    job.register(one, BASE_NS)
    put_decisions(
        store,
        [
            (BASE_NS + minute * NS_PER_MINUTE + at * MS, arm, unit if names_a_unit else "")
            for minute in range(20)
            for arm, units in (("slow", 1), ("control", 19))
            for unit in (f"{arm}{number}" for number in range(units))
            for at in range(50 if (arm, minute) == ("control", 7) else 1)
        ]
        # The customer with much of the traffic is in the small arm in two of the minutes.
        + [
            (BASE_NS + minute * NS_PER_MINUTE + at * MS, "slow", "big" if names_a_unit else "")
            for minute in (3, 9)
            for at in range(200)
        ],
    )
    told = job.report("half", END_NS).measured
    assert told.sample_ratio.observed == ((22, 380) if names_a_unit else (420, 1_311))
    assert told.sample_ratio.is_wrong is not names_a_unit
    assert [each.decisions for each in told.arms] == [420, 1_311]


def put_decisions(store: Connections, rows: list[tuple[int, str, str]]) -> None:
    """Store decisions of the experiment: when each began, its arm and its unit."""
    store.client().insert(
        "decisions",
        [
            [at_ns, f"d{number}", "half", arm, unit, 50 * MS if arm == "slow" else 0, at_ns, at_ns]
            for number, (at_ns, arm, unit) in enumerate(rows)
        ],
        column_names=[
            "ingress_ns", "decision_id", "experiment", "arm", "unit", "injected_delay_ns",
            "end_ns", "received_ns",
        ],
    )  # fmt: skip


@pytest.mark.parametrize("first_usd", ["10", "5000"])
def test_plan_tells_what_it_takes_before_anything_is_delayed(
    store: Connections, first_usd: str
) -> None:
    """By the decisions of the day before; a dry run registers nothing.

    Where one sale is dear, the most that delays can cost was told as of all the others.
    """
    job = ExperimentJob(CONFIG, store)
    run_decisions(store, ["control"] * 160, is_enrolled=False, first_usd=first_usd)
    later = replace(HALF, name="next", from_ns=END_NS, to_ns=END_NS + 3600 * NS_PER_S)
    plan = job.expect(later, END_NS)
    assert plan.decisions_per_day == 5760  # 160 in 40 minutes
    assert plan.at_risk_usd is not None
    # 240 an hour, half of them 50 ms late, ten dollars each, or 41.19 on average.
    beta, mean = 0.017145 / 100, (159 * 10 + float(first_usd)) / 160
    assert float(plan.at_risk_usd) == pytest.approx(240 * 0.5 * 50 * beta * mean, abs=0.01)
    assert job.all() == []


def test_cost_of_a_proposal_is_unknown_while_the_slope_is(store: Connections) -> None:
    """Nothing is expected of delays that nobody knows the price of, and that is not 0 USD."""
    job = ExperimentJob(CONFIG, store)
    run_decisions(store, ["control"] * 160, is_enrolled=False)
    expected = job.propose(END_NS)
    assert expected.cost_usd is not None
    assert expected.cost_usd > 0
    slopes = SlopeJob(CONFIG, store)
    slopes.store(halving("unknown", "the prior is contradicted", effective_ns=END_NS - 1))
    found = job.propose(END_NS)
    assert found.cost_usd is None
    assert found.at_risk_usd is not None
    assert expected.at_risk_usd is not None
    assert found.at_risk_usd > expected.at_risk_usd
