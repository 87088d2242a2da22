from __future__ import annotations

import itertools
import random
from bisect import bisect_right
from dataclasses import replace
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import pytest

from attribution.core.config import AttributionConfig, ChannelConfig
from attribution.core.money import MICROS_PER_USD
from attribution.core.segments import SEGMENTS
from attribution.path.spans import NONE
from attribution.revenue.matching import DecisionReference, match_outcomes
from attribution.revenue.outcomes import Outcome, Outcomes, earned_by_decision
from attribution.sensitivity.cells import read_slope_cells
from attribution.sensitivity.registered import WRONG_SHARES, Arm, Experiment, with_control
from attribution.sensitivity.registry import write_experiment
from attribution.sensitivity.sums import COUNTED_WHOLE, CellSums
from collector.core.assignment import arm_ends, draw, unit_digest
from collector.core.config import OutcomesConfig
from collector.core.times import NS_PER_DAY, NS_PER_MINUTE, NS_PER_S
from collector.store.connect import Connections
from tests.support.attribution.attribution_job import count_outcomes
from tests.support.attribution.drawn import unit_in
from tests.support.attribution.long_way.cell_rows import cell_sums
from tests.support.attribution.stored import BASE_NS, MS

MINUTES = 5
REGIONS = ("eu", "us")
COHORTS = ("new", "old", "vip")
ACTIONS = ("offer", "price")
EXPERIMENTS = ("", "e1")
CHANNELS = ("app", "web")
END_NS = BASE_NS + MINUTES * NS_PER_MINUTE


E1 = Experiment(
    name="e1", owner="ana", purpose="", arms=with_control([Arm("slow", 0.3, 25.0)]), targets={},
    from_ns=BASE_NS, to_ns=END_NS, budget_usd=Decimal(1), registered_ns=BASE_NS - 1,
)  # fmt: skip
KEYS: list[tuple[str, ...]] = sorted(
    itertools.product(
        REGIONS, COHORTS, ACTIONS, EXPERIMENTS, ("", "control", "slow"), ("", *CHANNELS)
    )
)


def key_of(one: dict[str, Any], by: str) -> tuple[str, ...]:
    """Return which row of its minute a decision falls into."""
    names = ("region", "cohort", "action", "experiment", "arm")
    return (*(one[name] for name in names), one["channel"] if by == "channel" else "")


def drawn(experiment: str, ingress_ns: int, rng: random.Random) -> dict[str, Any]:
    """Return what a decision says of the arm that somebody was drawn into."""
    if not experiment:
        return {"experiment": "", "arm": "", "unit": "", "injected_delay_ns": 0}
    unit = unit_digest("e1", str(rng.random()))
    ends = arm_ends([arm.share for arm in E1.arms])
    at = bisect_right(ends, draw("e1", ingress_ns // NS_PER_MINUTE, unit))
    arm = E1.arms[at]
    return {
        "experiment": "e1", "arm": arm.name, "unit": unit,
        "injected_delay_ns": round(arm.delay_ms * MS),
    }  # fmt: skip


def some_decisions(rng: random.Random, count: int) -> list[dict[str, Any]]:
    """Return decisions in order of time, some under one id or key, a few failed."""
    instants = sorted(rng.sample(range(MINUTES * 60_000), count))
    starts = [BASE_NS + at * MS + rng.randrange(MS) for at in instants]
    return [
        {
            "ingress_ns": start_ns,
            "decision_id": f"d{number}" if number % 40 else "twice",
            "outcome_key": f"k{number % 60}" if number % 3 == 0 else "",
            "region": rng.choice(REGIONS),
            "cohort": rng.choice(COHORTS),
            "action": rng.choice(ACTIONS),
            "channel": rng.choice(CHANNELS),
            **drawn(rng.choice(EXPERIMENTS), start_ns, rng),
            "parts": [rng.randrange(20 * MS) for _ in SEGMENTS],
            "is_error": int(rng.random() < 0.05),
        }
        for number, start_ns in enumerate(starts)
    ]


def some_outcomes(rng: random.Random, decisions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return sales, refunds and corrections by id or key, some of unknown amount."""
    outcomes = []
    for number, each in enumerate(decisions):
        if rng.random() < 0.5:
            continue
        by_key = bool(each["outcome_key"]) and rng.random() < 0.7
        outcomes += [
            {
                "outcome_id": f"o{number}-{copy}",
                "kind": rng.choice(("sale", "sale", "correction", "refund")),
                "decision_id": "" if by_key else each["decision_id"],
                "outcome_key": each["outcome_key"] if by_key else "",
                "converted": int(rng.random() < 0.6),
                "margin": rng.choice(
                    (None, Decimal(0), Decimal(rng.randrange(9_999_999)) / MICROS_PER_USD)
                ),
                "currency": rng.choice(("USD", "USD", "EUR")),
                # Within a minute of it, or days after its horizon.
                "event_ns": each["ingress_ns"]
                + rng.choice((0, 0, 31, 91)) * NS_PER_DAY
                + rng.randrange(NS_PER_MINUTE),
            }
            for copy in range(rng.choice((1, 1, 2)))
        ]
    return outcomes


def put(
    store: Connections, decisions: list[dict[str, Any]], outcomes: list[dict[str, Any]]
) -> None:
    """Insert them, every attribution in two revisions of which the first is wrong."""
    names = [
        "ingress_ns", "decision_id", "outcome_key", "region", "cohort", "injected_delay_ns",
        "experiment", "arm", "unit", "channel",
    ]  # fmt: skip
    store.client().insert(
        "decisions",
        [[each[name] for name in names] + [each["ingress_ns"]] * 2 for each in decisions],
        column_names=[*names, "end_ns", "received_ns"],
    )
    parts = [f"{stage}_{latency_class}_ns" for stage, latency_class in SEGMENTS]
    names = ["ingress_ns", "decision_id", "region", "cohort", "action", "is_error"]
    store.client().insert(
        "attributions",
        [
            [*(each[name] for name in names), revision, sum(own), *own]
            for each in decisions
            for revision, own in ((1, [MS] * len(parts)), (2, each["parts"]))
        ],
        column_names=[*names, "revision", "total_ns", *parts],
    )
    names = ["outcome_id", "kind", "decision_id", "outcome_key", "converted", "margin", "currency",
             "event_ns"]  # fmt: skip
    store.client().insert(
        "outcomes",
        [[each[name] for name in names] + [each["event_ns"]] for each in outcomes],
        column_names=[*names, "received_ns"],
    )
    count_outcomes(store)


def is_known(outcome: dict[str, Any]) -> bool:
    """Say whether its margin is: there are no rates."""
    return outcome["margin"] is not None and outcome["currency"] == "USD"


def is_sale(outcome: dict[str, Any]) -> bool:
    """Return whether it says so, or names an amount, and takes nothing back."""
    return outcome["kind"] != "refund" and bool(outcome["converted"] or outcome["margin"])


def row_level(
    decisions: list[dict[str, Any]],
    outcomes: list[dict[str, Any]],
    outcome: str,
    by: str,
    config: AttributionConfig,
) -> tuple[CellSums, int]:
    """Return the rows by the code that values decisions, and how many are unknown."""
    index = {(each["ingress_ns"], each["decision_id"]): row for row, each in enumerate(decisions)}
    matched = match_outcomes(
        [
            DecisionReference(
                each["decision_id"],
                each["outcome_key"],
                *(each["event_ns"], each["event_ns"]),  # when it happened, and came
                each["kind"] == "refund",
                is_sale(each),
            )
            for each in outcomes
        ],
        [(each["ingress_ns"], each["decision_id"], each["outcome_key"]) for each in decisions],
    )
    ends = {name: config.horizon_days_of(name) * NS_PER_DAY for name in CHANNELS}
    told = [
        Outcome(
            index[found] if found else NONE,
            each["kind"],
            is_sale(each),
            int(each["margin"] * MICROS_PER_USD) if is_known(each) else None,
            None,
            each["kind"] != "correction"
            and found is not None
            and each["event_ns"] > found[0] + ends[decisions[index[found]]["channel"]],
        )
        for found, each in zip(matched, outcomes, strict=True)
    ]
    earned = earned_by_decision(Outcomes.from_rows(told), len(decisions))
    is_unknown = (earned.converted == 1) & (earned.margins == 0)
    sold = np.zeros(len(decisions))
    for each in told:
        if each.is_sale and not each.is_late:
            sold[each.decision] = 1
    y = sold if outcome == "converted" else earned.margin_micros / MICROS_PER_USD
    if outcome == "margin":
        sales = np.sort(y[(sold == 1) & (y > 0)])
        limit = sales[int(len(sales) * COUNTED_WHOLE)]
        y = np.clip(y, -limit, limit)
    parts = np.array([each["parts"] for each in decisions])
    is_backend = [latency_class in ("compute", "store") for _, latency_class in SEGMENTS]
    values = np.stack(
        [
            y,
            parts.sum(axis=1) / MS,
            parts[:, is_backend].sum(axis=1) / MS,
            np.array([each["injected_delay_ns"] for each in decisions]) / MS,
        ],
        axis=1,
    )
    others, all_sent = config.other_channels, config.outcomes.all_sent
    is_all = np.array([all_sent != (d["channel"] in others) for d in decisions])
    keep = (earned.known > 0) | ~is_all
    unknown = int((keep & is_unknown).sum()) if outcome == "margin" else 0
    if outcome == "margin":
        keep &= ~is_unknown
    minute = np.array([each["ingress_ns"] // NS_PER_MINUTE * NS_PER_MINUTE for each in decisions])
    place = np.array([KEYS.index(key_of(each, by)) for each in decisions])
    return cell_sums(minute[keep], place[keep], values[keep]), unknown


@pytest.mark.parametrize(
    ("outcome", "by", "config"),
    [
        ("converted", "", AttributionConfig()),
        (
            "margin",
            "channel",
            AttributionConfig().reading(
                OutcomesConfig(complete="all"),
                {"web": ChannelConfig(complete="sales", horizon_days=90)},
            ),
        ),
    ],
)
def test_cells_of_the_store_are_the_sums_over_its_rows(
    store: Connections, outcome: Literal["converted", "margin"], by: str, config: AttributionConfig
) -> None:
    """Twelve digits, by other code: an alias that shadows its column merges cells silently.

    Failed decisions are in them, with what they earned.
    """
    rng = random.Random(20_261_125)
    decisions = some_decisions(rng, 900)
    outcomes = some_outcomes(rng, decisions)
    # Nobody bought anything in these: they are in no cell.
    asked = [
        {**each, "action": "calibration", "decision_id": f"c{index}", "outcome_key": ""}
        for index, each in enumerate(some_decisions(rng, 50))
    ]
    put(store, decisions + asked, outcomes)
    write_experiment(store, E1, 1)
    found = read_slope_cells(store, config, BASE_NS, END_NS, outcome, by=by)
    expected, unknown = row_level(decisions, outcomes, outcome, by, config)
    delays_ms = found.cells.answers.delay_ms.tolist()
    arms = [
        name and ("slow" if delay_ms else "control")
        for name, delay_ms in zip(found.experiment, delays_ms, strict=True)
    ]
    keys = zip(
        found.region, found.cohort, found.action, found.experiment, arms, found.part, strict=True
    )
    rows = list(zip(found.cells.minute.tolist(), keys, strict=True))
    assert (
        rows
        == sorted(set(rows))
        == sorted(
            {
                (each["ingress_ns"] // NS_PER_MINUTE * NS_PER_MINUTE, key_of(each, by))
                for each in decisions
            }
        )
    )
    assert (found.not_randomised, found.disbelieved, found.experiments) == (0, (), ("e1",))
    assert int(found.cells.answers.enrolled.sum()) == len(decisions)
    assert int(found.cells.answers.failed.sum()) == sum(each["is_error"] for each in decisions)
    # The arms of a cell share its code, and nothing else does.
    cells = {(minute, key[:4], key[5:]) for minute, key in rows}
    assert len(np.unique(found.cells.answers.cell)) == len(cells)
    assert set(found.groups("channel")) == (set(CHANNELS) if by else {""})
    assert set(found.groups("cohort")) == set(COHORTS)
    known = found.cells.take(found.cells.n > 0)  # the others hold what is unknown alone
    np.testing.assert_array_equal(known.minute, expected.minute)
    np.testing.assert_array_equal(known.n, expected.n)
    np.testing.assert_allclose(known.sums, expected.sums, rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(known.products, expected.products, rtol=1e-12, atol=1e-9)
    assert found.cells.answers.unknown.sum() == unknown
    assert expected.sums[:, 0].sum() > 0


def test_cells_of_one_experiment_are_its_own(store: Connections) -> None:
    """Who is in it and who is not may differ in anything but what was drawn."""
    decisions = some_decisions(random.Random(7), 200)
    put(store, decisions, [])
    write_experiment(store, E1, 1)
    found = read_slope_cells(
        store, AttributionConfig(), BASE_NS, END_NS, "converted", experiment="e1"
    )
    own = [d for d in decisions if d["experiment"] == "e1"]
    assert int(found.cells.n.sum()) == len(own) > 0
    assert set(found.experiment) == {"e1"}


FORGED: dict[str, dict[str, Any]] = {
    "an experiment that nobody registered": {"experiment": "e9"},
    "an arm that there is not": {"arm": "fast"},
    "a delay that the arm has not": {"injected_delay_ns": 26 * MS},
    "a delay of the control": {"arm": "control"},
    "somebody who was drawn into another arm": {"unit": unit_digest("e1", "x")},
    "nobody in particular": {"unit": ""},
    "a delay without an experiment": {"experiment": "", "arm": "", "unit": ""},
}


def test_delay_counts_only_where_millworth_drew_it(store: Connections) -> None:
    """Whatever a sender claims: what does not recompute is counted, and is in no sum."""
    rng = random.Random(11)
    own = {each["decision_id"]: each for each in some_decisions(rng, 300)}
    slow = next(each for each in own.values() if each["arm"] == "slow")
    forged = [
        {**slow, "decision_id": name, "outcome_key": "", **change}
        for name, change in FORGED.items()
    ]
    # The other arm's draw, whoever "x" is: a unit is looked for that is in the control.
    other = unit_in(E1, "control", slow["ingress_ns"])
    forged[4]["unit"] = other
    late = {**slow, **drawn("e1", END_NS, rng), "decision_id": "late", "ingress_ns": END_NS}
    put(store, [*own.values(), *forged, late], [])
    write_experiment(store, E1, 1)
    config = AttributionConfig()
    found = read_slope_cells(store, config, BASE_NS, END_NS + NS_PER_MINUTE, "converted")
    assert found.not_randomised == len(forged) + 1
    assert int(found.cells.n.sum()) == len(own)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"registered_ns": END_NS}, id="registered after the fact"),
        pytest.param({"from_ns": END_NS}, id="not begun"),
        pytest.param({"stopped_ns": BASE_NS}, id="stopped before"),
        pytest.param(
            {"stopped_ns": END_NS, "stop_reason": f"{WRONG_SHARES}: chi-square 40.0, p 1e-9"},
            id="stopped for its shares",
        ),
        pytest.param({"arms": with_control([Arm("slow", 0.1, 25.0)])}, id="other shares"),
    ],
)
def test_experiment_that_proves_nothing_is_in_no_sum(
    store: Connections, change: dict[str, Any]
) -> None:
    """Its decisions are counted as not randomised, the control's too."""
    decisions = some_decisions(random.Random(12), 300)
    put(store, decisions, [])
    write_experiment(store, replace(E1, **change), 1)
    found = read_slope_cells(store, AttributionConfig(), BASE_NS, END_NS, "converted")
    claimed = sum(each["experiment"] == "e1" for each in decisions)
    if "arms" in change:  # those whose draw is in the control of either
        assert 0 < found.not_randomised < claimed
    else:
        assert found.not_randomised == claimed
        assert found.experiments == ()


def test_shares_that_do_not_hold_put_an_experiment_out(store: Connections) -> None:
    """Half of the delayed never arrive: what lost them may depend on what they would have done."""
    rng = random.Random(13)
    span_ns = 20 * NS_PER_MINUTE
    long = replace(E1, to_ns=BASE_NS + span_ns)
    decisions = []
    for number in range(1_500):
        start_ns = BASE_NS + number * (span_ns // 1_500)
        one = some_decisions(random.Random(number), 1)[0]
        one |= {"ingress_ns": start_ns, "decision_id": f"d{number}", **drawn("e1", start_ns, rng)}
        if one["arm"] == "control" or rng.random() < 0.5:
            decisions.append(one)
    put(store, decisions, [])
    write_experiment(store, long, 1)
    found = read_slope_cells(store, AttributionConfig(), BASE_NS, BASE_NS + span_ns, "converted")
    assert found.disbelieved == ("e1",)
    assert found.not_randomised == len(decisions)
    assert int(found.cells.n.sum()) == 0


def test_window_without_decisions_has_no_cells(store: Connections) -> None:
    """A new store asks for its slope too."""
    found = read_slope_cells(store, AttributionConfig(), 0, NS_PER_S, "margin")
    assert len(found.cells) == 0
