"""Whoever wants a figure that is not so: no claim of a sender moves a dollar called identified.

The customers are those of the reference path in simulated time, 8,000 decisions of an experiment
that identifies the slope. Each test takes one thing from that, or adds one, as somebody might who
sends telemetry or outcomes, or registers an experiment when its result is known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from attribution.bench.matches import count_by_id
from attribution.core.config import AttributionConfig, SlopePrior
from attribution.core.selection import Selection
from attribution.invest.file import InvestFile
from attribution.invest.job import InvestJob, StoredVerdict
from attribution.jobs.attribution import AttributionJob
from attribution.sensitivity.estimate import Status
from attribution.sensitivity.job import SlopeJob, SlopeReport
from attribution.sensitivity.registered import WRONG_SHARES
from attribution.sensitivity.registry import read_experiments, write_experiment
from attribution.sensitivity.versions import ESTIMATE, PRIOR, UNKNOWN
from attribution.vram.job import VramJob
from collector.core.config import AttributesConfig, OutcomesConfig
from collector.core.errors import InputError
from collector.core.times import NS_PER_DAY, NS_PER_MINUTE, NS_PER_S
from collector.store.connect import Connections
from dashboard.bench.reference import MINUTES, register, tables_of
from dashboard.reference.simulated import simulate
from tests.support.attribution.stored import (
    BASE_NS,
    decision,
    outcome,
    put_outcomes,
    put_sales,
    put_spans,
    trace_id,
)

# Customers of the reference path are far more impatient than those of the literature.
STEEP = AttributionConfig(
    slope=SlopePrior(median_per_100ms=0.6, low_per_100ms=0.05, high_per_100ms=0.9),
    outcome_delay_s=0,
)
NOW_NS = BASE_NS + (MINUTES + 1) * NS_PER_MINUTE
FROM_NS = BASE_NS // NS_PER_MINUTE * NS_PER_MINUTE


@pytest.fixture(scope="module")
def customers() -> Mapping[str, pa.Table]:
    """Return the rows of the three tables."""
    return tables_of(simulate(3, 8_000, MINUTES, BASE_NS // NS_PER_MINUTE), 3, BASE_NS)


def stored(store: Connections, tables: Mapping[str, pa.Table]) -> SlopeReport:
    """Store them, and estimate the slope as the service does every hour."""
    for table, rows in tables.items():
        store.client().insert_arrow(table, rows)
    count_by_id(store)
    return SlopeJob(STEEP, store).run_once(NOW_NS)


def changed(tables: Mapping[str, pa.Table], **columns: pa.Array) -> dict[str, pa.Table]:
    """Return the same with other columns of `decisions`."""
    decisions = tables["decisions"]
    for name, column in columns.items():
        decisions = decisions.set_column(decisions.column_names.index(name), name, column)
    return {**tables, "decisions": decisions}


def gated(store: Connections, **option: Any) -> StoredVerdict:  # noqa: ANN401  as a file has them
    """Have an investment judged that costs nearly nothing."""
    told = InvestFile.model_validate(
        {
            "invest": {"window_days_min": 0},
            "options": [{"name": "x", "capex_usd": "0.01", "opex_usd_per_quarter": 0, **option}],
        }
    )
    at = (NOW_NS, "2033-05-18T00:00:00Z")
    return InvestJob(STEEP, store).judge(told, "", Selection(FROM_NS, NOW_NS), at, "somebody")


def test_honest_experiment_is_identified(
    store: Connections, customers: Mapping[str, pa.Table]
) -> None:
    """What the others are compared with: estimated, used, and the gate knows it by its name."""
    register(store, BASE_NS)
    told = stored(store, customers)
    assert (told.model.source, told.model.not_randomised) == (ESTIMATE, 0), told.model.reason
    assert told.model.experiments == ["reference"]
    stated = {"gain_usd_per_quarter": "0.02", "basis": "experiment", "source": "reference"}
    # No revenue cells are stored, so what all of the latency costs is unknown.
    assert (
        "all the latency of this window costs an unknown amount"
        in gated(store, **stated).document["verdict"]["reason"]
    )
    assert (
        "no experiment 'x'"
        in gated(store, **{**stated, "source": "x"}).document["verdict"]["reason"]
    )


def test_delays_that_nobody_registered_identify_nothing(
    store: Connections, customers: Mapping[str, pa.Table]
) -> None:
    """The very same data, without a registration: 8,000 are counted, and the prior stays."""
    told = stored(store, customers)
    assert (told.model.source, told.model.status) == (PRIOR, str(Status.UNCONFIRMED))
    assert (told.model.not_randomised, told.model.decisions) == (8_000, 0)
    verdict = gated(store, saves={"decision/compute": "1ms"})
    assert verdict.ruling == "refuse"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"registered_ns": NOW_NS}, id="registered when its result was known"),
        pytest.param({"stopped_ns": BASE_NS, "stop_reason": "by hand"}, id="stopped before"),
        pytest.param(
            {"stopped_ns": NOW_NS, "stop_reason": f"{WRONG_SHARES}: p 1e-9"}, id="wrong shares"
        ),
    ],
)
def test_experiment_of_another_time_identifies_nothing(
    store: Connections, customers: Mapping[str, pa.Table], change: dict[str, Any]
) -> None:
    """A registration after the fact, or one that was ended."""
    register(store, BASE_NS)
    (one,) = read_experiments(store)
    write_experiment(store, replace(one, **change), 2)
    told = stored(store, customers)
    assert (told.model.source, told.model.not_randomised) == (PRIOR, 8_000)
    verdict = gated(
        store, saves={"decision/compute": "1ms"}, basis="experiment", source="reference"
    )
    assert verdict.ruling == "refuse"


def test_throttle_in_the_name_of_an_experiment_is_no_draw(
    store: Connections, customers: Mapping[str, pa.Table]
) -> None:
    """A sender delays whom he likes, and says that the experiment did.

    Some of the claims are by chance what the draw says. What is left has other shares than were
    registered, so that the whole experiment is out.
    """
    register(store, BASE_NS)
    rng = np.random.default_rng(1)
    arms = rng.choice(["slow40", "slow80", "control"], 8_000, p=[0.1, 0.1, 0.8])
    delay_ns = {"slow40": 40_000_000, "slow80": 80_000_000, "control": 0}
    claimed = changed(
        customers,
        arm=pa.array(arms),
        injected_delay_ns=pa.array([delay_ns[arm] for arm in arms], pa.uint64()),
    )
    told = stored(store, claimed)
    assert (told.model.source, told.model.not_randomised) == (PRIOR, 8_000)


def test_delay_beside_its_arm_is_no_draw(
    store: Connections, customers: Mapping[str, pa.Table]
) -> None:
    """A nanosecond more than the arm, for all who are delayed: the delays are somebody else's.

    The control alone is no experiment either.
    """
    register(store, BASE_NS)
    delay_ns = customers["decisions"]["injected_delay_ns"]
    more = pc.if_else(pc.greater(delay_ns, 0), pc.add(delay_ns, 1), delay_ns).cast(pa.uint64())
    told = stored(store, changed(customers, injected_delay_ns=more.combine_chunks()))
    assert (told.model.source, told.model.not_randomised) == (PRIOR, 8_000)


def test_experiment_that_contradicts_the_prior_leaves_neither(
    store: Connections, customers: Mapping[str, pa.Table]
) -> None:
    """By the literature's prior nothing is identified for years; here no delayed customer buys."""
    register(store, BASE_NS)
    decisions, outcomes = customers["decisions"], customers["outcomes"]
    delayed = decisions.filter(pc.greater(decisions["injected_delay_ns"], 0))["decision_id"]
    bought = pc.invert(pc.is_in(outcomes["decision_id"], delayed.combine_chunks()))
    for table, rows in ({**customers, "outcomes": outcomes.filter(bought)}).items():
        store.client().insert_arrow(table, rows)
    count_by_id(store)
    config = AttributionConfig(outcome_delay_s=0)
    told = SlopeJob(config, store).run_once(NOW_NS)
    assert told.model.source == UNKNOWN
    assert "which the prior of 0.500% contradicts: it is not used" in told.model.reason
    put_spans(store, decision("a", 0, 100))
    put_sales(store, ["a"], "10")
    with pytest.raises(InputError, match="contradicts: it is not used"):
        VramJob(config, store).compute(Selection(FROM_NS, NOW_NS + 1), "channel")


HOUR = Selection(BASE_NS, BASE_NS + 3600 * NS_PER_S)
FORGED: dict[str, list[list[object]]] = {
    "a record of no sale": [
        outcome("n", decision_id=trace_id("d9"), converted=False, event_s=20, received_s=160),
    ],
    "the same sale again": [
        outcome("sale-d0", decision_id=trace_id("d0"), margin="10", received_s=160),
    ],
    "a sale of a decision that there is not": [
        outcome("ghost", decision_id="f" * 32, margin="1000000", received_s=160),
    ],
    "a sale in a currency without a rate": [
        outcome("xau", decision_id=trace_id("d9"), margin=None, currency="XAU", received_s=160,
                converted=False),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_outcomes_that_say_nothing_move_no_dollar(store: Connections, name: str) -> None:
    """100 decisions and 10 sales of ten dollars are a hundred dollars, whatever else comes."""
    put_spans(store, [each for at in range(100) for each in decision(f"d{at}", 1_000 * at, 180)])
    put_sales(store, [f"d{at}" for at in range(10)], "10")
    job = AttributionJob(STEEP, AttributesConfig(), store)
    job.drain(BASE_NS + 150 * NS_PER_S)
    before = VramJob(STEEP, store).compute(HOUR, "channel")["groups"]
    assert before[0]["earned_usd"] == 100.0
    put_outcomes(store, FORGED[name])
    job.drain(BASE_NS + 300 * NS_PER_S)
    assert VramJob(STEEP, store).compute(HOUR, "channel")["groups"] == before


def test_sale_of_a_currency_without_a_rate_is_the_mean_of_the_others(store: Connections) -> None:
    """It sold, for an amount that is not known: never for nothing, and never for its digits."""
    put_spans(store, [each for at in range(100) for each in decision(f"d{at}", 1_000 * at, 180)])
    put_sales(store, [f"d{at}" for at in range(10)], "10")
    put_outcomes(
        store, [outcome("xau", decision_id=trace_id("d50"), margin="999999", currency="XAU")]
    )
    AttributionJob(STEEP, AttributesConfig(), store).drain(BASE_NS + 150 * NS_PER_S)
    (group,) = VramJob(STEEP, store).compute(HOUR, "channel")["groups"]
    assert group["earned_usd"] == 110.0
    assert group["value_usd"] == pytest.approx(1.1)


def test_sale_before_its_decision_by_key_is_not_counted(store: Connections) -> None:
    """An outcome of the future, or the past, that only shares a key finds no decision."""
    spans = [each for at in range(20) for each in decision(f"d{at}", 1_000 * at, 180)]
    spans[0] = replace(spans[0], attributes={**spans[0].attributes, "outcome.key": "order-1"})
    put_spans(store, spans)
    put_sales(store, ["d1"], "10")
    put_outcomes(store, [outcome("early", key="order-1", margin="5000", event_s=-60.0)])
    AttributionJob(STEEP, AttributesConfig(), store).drain(BASE_NS + 150 * NS_PER_S)
    (group,) = VramJob(STEEP, store).compute(HOUR, "channel")["groups"]
    assert group["earned_usd"] == 10.0


def test_mode_that_is_declared_is_the_one_that_counts(store: Connections) -> None:
    """The same data under both: what is known differs, and the answer says which it was."""
    put_spans(store, [each for at in range(100) for each in decision(f"d{at}", 1_000 * at, 180)])
    put_outcomes(
        store,
        [
            outcome(f"o{at}", decision_id=trace_id(f"d{at}"), converted=at < 10,
                    margin="10" if at < 10 else None, event_s=at + 1.0, received_s=120)
            for at in range(50)
        ],
    )  # fmt: skip
    values = {}
    for mode in ("sales", "all"):
        config = STEEP.reading(OutcomesConfig.model_validate({"complete": mode}))
        AttributionJob(config, AttributesConfig(), store).drain(BASE_NS + 150 * NS_PER_S)
        told = VramJob(config, store).compute(HOUR, "channel")
        (group,) = told["groups"]
        values[mode] = (group["known"], group["value_usd"])
        assert f"outcomes.complete = {mode}" in told["lineage"]["denominator"]
    assert values == {"sales": (100, 1.0), "all": (50, 2.0)}


def test_two_currencies_and_a_refund_to_the_cent(store: Connections) -> None:
    """By hand: 3 x 20.02 USD, 20 EUR at 1.25, less 6.66 USD: 78.40 USD in 100 seconds."""
    put_spans(store, [each for at in range(100) for each in decision(f"d{at}", 1_000 * at, 180)])
    store.client().insert(
        "currency_rates",
        [["EUR", BASE_NS // NS_PER_DAY * NS_PER_DAY, Decimal("1.25"), BASE_NS]],
        column_names=["currency", "day_ns", "rate", "received_ns"],
    )
    put_sales(store, ["d0", "d1", "d2"], "20.02")
    put_outcomes(
        store,
        [
            outcome("eur", decision_id=trace_id("d3"), margin="20", currency="EUR"),
            outcome("back", decision_id=trace_id("d2"), kind="refund", margin="6.66", event_s=3),
        ],
    )
    AttributionJob(STEEP, AttributesConfig(), store).drain(BASE_NS + 150 * NS_PER_S)
    told = VramJob(STEEP, store).compute(HOUR, "channel")
    (group,) = told["groups"]
    assert f"{group['earned_usd']:.2f}" == "78.40"
    assert f"{group['erv_usd_per_s']['median'] * told['lineage']['counted_s']:.2f}" == "78.40"
    beta = -math.log1p(-0.6) / 100
    hour = group["marginal_usd_per_ms_hour"]["median"]
    assert hour == pytest.approx(beta * 0.784 * 3600, rel=1e-5)
