from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.core.config import ExperimentLimits
from attribution.experiments.report import measured
from attribution.experiments.rules import check
from attribution.sensitivity.registered import (
    Arm,
    ClassDraws,
    Experiment,
    chi2_above,
    following,
    sample_ratio,
    variance_ms2,
    with_control,
)
from attribution.sensitivity.registry import ClaimedDraws
from collector.core.errors import InputError
from collector.core.times import NS_PER_MINUTE, NS_PER_S
from tests.support.attribution.stored import BASE_NS

DAY_NS = 86_400 * NS_PER_S
NOW_NS = BASE_NS
ARMS = with_control([Arm("slow40", 0.05, 40.0), Arm("slow80", 0.05, 80.0)])
ONE = Experiment(
    "e1", "ana", "", ARMS, {"region": ("eu", "us")}, NOW_NS, NOW_NS + DAY_NS, Decimal(100)
)


def test_sound_experiment_may_begin() -> None:
    """The control takes the rest; two at a time may run on different decisions."""
    check(ONE, [], ExperimentLimits(), NOW_NS)
    assert ARMS[-1] == Arm("control", 0.9, 0.0)
    other = replace(ONE, name="e2", targets={"region": ("ap",)})
    check(other, [ONE], ExperimentLimits(), NOW_NS)
    check(replace(ONE, name="e2"), [replace(ONE, stopped_ns=NOW_NS)], ExperimentLimits(), NOW_NS)
    # 0.05 x 1600 + 0.05 x 6400 - 6^2
    assert variance_ms2(ARMS) == pytest.approx(364.0)


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"name": "Über"}, "name 'Über': up to 64"),
        ({"owner": " "}, "owner: say who answers"),
        ({"targets": {"team": ("a",)}}, "target 'team': choose action"),
        ({"arms": with_control([Arm("slow", 0.6, 10.0)])}, "60.0% of the decisions would be"),
        ({"arms": with_control([Arm("slow", 0.1, 101.0)])}, "101 ms are over"),
        ({"arms": with_control([Arm("slow", 0.1, 1e-7)])}, "a delay of a nanosecond or more"),
        ({"arms": with_control([Arm("control", 0.1, 10.0)])}, "a name of its own"),
        ({"arms": (Arm("a", 0.5, 0.0), Arm("b", 0.5, 0.0))}, "give one or more"),
        ({"to_ns": NOW_NS}, "ends before it begins"),
        ({"to_ns": NOW_NS + 61 * DAY_NS}, "61.0 days are over"),
        ({"budget_usd": Decimal(0)}, "budget 0 USD"),
    ],
)
def test_what_must_not_begin_is_refused(change: dict[str, object], wrong: str) -> None:
    """With the value and the remedy."""
    with pytest.raises(InputError, match=wrong):
        check(replace(ONE, **change), [], ExperimentLimits(), NOW_NS)  # type: ignore[arg-type]  # one field each


def test_one_decision_is_in_one_experiment() -> None:
    """And a name is used once, also after the end."""
    beside = replace(ONE, name="e2", targets={"cohort": ("new",)})
    with pytest.raises(InputError, match="experiment e1 takes some of the same decisions"):
        check(beside, [ONE], ExperimentLimits(), NOW_NS)
    with pytest.raises(InputError, match="e1 was registered before"):
        check(ONE, [replace(ONE, stopped_ns=NOW_NS)], ExperimentLimits(), NOW_NS)


@pytest.mark.parametrize(
    ("value", "freedom", "chance"),
    [(3.841459, 1, 0.05), (5.991465, 2, 0.05), (7.814728, 3, 0.05), (18.466827, 4, 0.001)],
)
def test_chi_square_is_that_of_the_tables(value: float, freedom: int, chance: float) -> None:
    """Abramowitz and Stegun, table 26.8."""
    assert chi2_above(value, freedom) == pytest.approx(chance, rel=1e-5)


def drawn(shares: list[float], seed: int, units: int, looks: int) -> list[dict[str, int]]:
    """Return the draws so far at each look, so many units after each other."""
    dice = np.random.default_rng(seed)
    so_far = dice.multinomial(units, shares, size=looks).cumsum(axis=0).tolist()
    names = ["slow40", "slow80", "control"][-len(shares) :]
    return [dict(zip(names, counts, strict=True)) for counts in so_far]


def test_registered_shares_raise_no_alarm_however_often_they_are_looked_at() -> None:
    """Ten looks a minute for ten hours: a p-value below 5 % comes in most of 200 experiments."""
    shares = [arm.share for arm in ARMS]
    stopped = crossed = 0
    for seed in range(200):
        looks = [sample_ratio(ARMS, each) for each in drawn(shares, seed, 20, 600)]
        stopped += any(each.is_wrong for each in looks)
        crossed += any(each.p_value is not None and each.p_value < 0.05 for each in looks)
    assert stopped == 0
    assert crossed > 60


@given(
    share=st.floats(0.001, 0.5),
    counts=st.lists(st.integers(0, 10_000), min_size=2, max_size=2),
)
def test_evidence_is_a_fair_game_at_registered_shares(share: float, counts: list[int]) -> None:
    """What the next draw makes of it is, by the registered shares, what it is: a martingale."""
    arms = with_control([Arm("slow", share, 40.0)])
    now = dict(zip(("slow", "control"), counts, strict=True))
    after = sum(
        arm.share * sample_ratio(arms, now | {arm.name: now[arm.name] + 1}).evidence for arm in arms
    )
    held = sample_ratio(arms, now).evidence if sum(counts) else 1.0
    assert after == pytest.approx(held, rel=1e-6) or held > 1e200


@pytest.mark.parametrize(
    ("seen", "draws"),
    [
        pytest.param([0.05, 0.04, 0.91], 30_000, id="an arm loses a fifth"),
        pytest.param([0.05, 0.065, 0.885], 12_000, id="strangers claim an arm"),
        pytest.param([0.05, 0.0, 0.95], 400, id="an arm never comes"),
        pytest.param([0.10, 0.05, 0.85], 1_200, id="an arm is twice as wide"),
    ],
)
def test_shares_that_do_not_hold_are_found(seen: list[float], draws: int) -> None:
    """In nine of ten experiments by so many draws, of units that are counted once a minute."""
    looks = [drawn([x / sum(seen) for x in seen], seed, draws, 1)[-1] for seed in range(100)]
    assert sum(sample_ratio(ARMS, each).is_wrong for each in looks) >= 90


def minutes_of(rows: list[tuple[int, str, str, int, float, int, float]]) -> pa.Table:
    """Return an answer of `experiment_minutes.sql`: minute, arm, region, decisions, ...."""
    minute, arm, region, decisions, lost, stated, stated_usd = zip(*rows, strict=True)
    delays = {"slow40": 40.0, "slow80": 80.0}
    return pa.table(
        {
            "minute_ns": [BASE_NS + each * NS_PER_MINUTE for each in minute],
            "arm": arm,
            "action": ["offer"] * len(rows),
            "region": region,
            "decisions": decisions,
            "delayed": [n if a in delays else 0 for a, n in zip(arm, decisions, strict=True)],
            "stated": stated,
            "delay_ms": [n * delays.get(a, 0.0) for a, n in zip(arm, decisions, strict=True)],
            "lost_share": lost,
            "stated_lost_usd": stated_usd,
        }
    )


def test_what_was_put_at_risk_is_counted_to_the_cent() -> None:
    """By the value of the class, else by what decisions state; what is unknown is in no dollar."""
    table = minutes_of(
        [
            (0, "control", "eu", 90, 0.0, 0, 0.0),
            (0, "slow40", "eu", 5, 0.5, 0, 0.0),  # 0.5 x 20 USD
            (1, "slow80", "us", 5, 0.25, 4, 1.25),  # 1.25 USD are stated, of one nothing is
        ]
    )
    told = measured(ONE, table, {("offer", "eu"): 20.0}, ClaimedDraws({"control": 27, "slow40": 3}))
    assert (told.at_risk_usd, told.at_risk_usd_per_minute) == (Decimal("11.25"), Decimal("10.00"))
    assert (told.decisions, told.delayed, told.unvalued) == (100, 10, 1)
    # The shares are those of the draws: three units made five decisions.
    assert [(a.name, a.decisions, a.share_observed, a.delay_ms_mean) for a in told.arms] == [
        ("slow40", 5, 0.1, 40.0),
        ("slow80", 5, 0.0, 80.0),
        ("control", 90, 0.9, 0.0),
    ]
    assert told.reason_to_stop(Decimal(100)) == ""
    assert "another minute would overspend" in told.reason_to_stop(Decimal("21.25"))
    assert "the budget is spent: 11.25 of 11.25" in told.reason_to_stop(Decimal("11.25"))


def test_experiment_whose_risk_cannot_be_known_is_stopped() -> None:
    """Unknown is not zero: delays of decisions of no known value have no budget."""
    told = measured(
        ONE,
        minutes_of(
            [
                (0, "slow40", "eu", 201, 0.5, 0, 0.0),
                (0, "slow80", "eu", 201, 0.5, 0, 0.0),
                (0, "control", "eu", 3618, 0.0, 0, 0.0),
            ]
        ),
        {},
        ClaimedDraws(),
    )
    assert "402 decisions have no known value" in told.reason_to_stop(Decimal(100))


@pytest.mark.parametrize(
    ("own", "foreign", "stops"),
    [
        pytest.param(0, 1, False, id="the first of all is a stranger's"),
        pytest.param(0, 200, False, id="a stage that says it all day"),
        pytest.param(0, 201, True, id="nobody is in its arms"),
        pytest.param(1_809, 201, False, id="a tenth"),
        pytest.param(1_800, 201, True, id="more than a tenth"),
        pytest.param(100_000, 9_000, False, id="many, and few of all"),
    ],
)
def test_foreign_arms_are_used_for_nothing_and_stop_only_where_they_are_many(
    own: int, foreign: int, *, stops: bool
) -> None:
    """A stage with an arm of before ends no experiment of two weeks, and spends none of it."""
    rows = [(0, "old40", "eu", foreign, float(foreign), foreign, 9_000.0)]
    rows += [(0, "control", "eu", own, 0.0, 0, 0.0)] if own else []
    table = minutes_of(rows)
    table = table.set_column(5, "delayed", pa.array([foreign, *[0] * (len(rows) - 1)]))
    draws = ClaimedDraws({"old40": foreign} | ({"control": 1} if own else {}))
    told = measured(ONE, table, {}, draws)
    assert (told.decisions, told.delayed, told.unvalued) == (own, 0, 0)
    assert told.at_risk_usd == Decimal(0)
    assert told.sample_ratio.unregistered == foreign
    assert not told.sample_ratio.is_wrong, "what was drawn is what it was"
    reason = told.reason_to_stop(Decimal(100))
    said = f"{foreign} of {own + foreign} decisions came in an arm that is not registered"
    assert reason == (said if stops else "")
    assert not replace(ONE, stopped_ns=NOW_NS, stop_reason=reason).is_disproved


@pytest.mark.parametrize(
    ("draws", "undrawn", "stops"),
    [
        pytest.param(201, 200, False, id="a stranger of an hour"),
        pytest.param(201, 201, True, id="nobody is as drawn"),
        pytest.param(10_050, 201, False, id="a fiftieth"),
        pytest.param(10_000, 201, True, id="more than a fiftieth"),
    ],
)
def test_arms_that_another_assigns_disprove_what_they_say(
    draws: int, undrawn: int, *, stops: bool
) -> None:
    """Of two arms any other hash agrees with half of the draws, and who is in which is its own."""
    control = round(draws * 0.9)
    slow = (draws - control) // 2
    by_arm = {"control": control, "slow40": slow, "slow80": draws - control - slow}
    table = minutes_of([(0, "control", "eu", draws, 0.0, 0, 0.0)])
    told = measured(ONE, table, {}, ClaimedDraws(by_arm, draws, undrawn))
    assert told.sample_ratio.is_wrong is stops
    reason = told.reason_to_stop(Decimal(100))
    said = (
        f"{undrawn} of the newest {draws} draws are not in the arm, or not of the delay, that "
        "Millworth drew"
    )
    assert reason == (said if stops else "")
    assert replace(ONE, stopped_ns=NOW_NS, stop_reason=reason).is_disproved is stops


def of_classes(*draws: tuple[str, str, str, int]) -> list[ClassDraws]:
    """Return draws of e1: of an arm, a dimension and a class, so many."""
    return [ClassDraws("e1", *each) for each in draws]


def test_class_that_the_delay_chose_is_told() -> None:
    """A fallback after 150 ms: three in ten of the slow arm, one in a hundred of the control."""
    found = following(
        of_classes(
            ("control", "", "", 9_000), ("slow80", "", "", 1_000),
            ("control", "action", "offer", 8_910), ("control", "action", "fallback", 90),
            # Some draws have decisions of both.
            ("slow80", "action", "offer", 900), ("slow80", "action", "fallback", 300),
            ("control", "region", "eu", 4_500), ("control", "region", "us", 4_500),
            ("slow80", "region", "eu", 510), ("slow80", "region", "us", 490),
        )
    )  # fmt: skip
    assert found == {
        "action": "action follows the delay in e1: 30.0% of the draws in arm slow80 are of "
        "fallback, and 3.9% of all; arms are compared over all of them"
    }


@pytest.mark.parametrize("name", ["", "none"])
def test_class_without_a_name_is_told_too(name: str) -> None:
    """And one that is called as such a one is told."""
    rows = of_classes(
        ("control", "", "", 1_000), ("slow80", "", "", 1_000),
        ("control", "cohort", name, 100), ("slow80", "cohort", name, 900),
    )  # fmt: skip
    assert "are of none, and 50.0% of all" in following(rows)["cohort"]


def test_classes_too_rare_to_tell_follow_nothing() -> None:
    """Of an arm of a hundredth none of forty draws is expected: that none is says nothing."""
    rare = [("control", "cohort", f"c{index}", 40) for index in range(4)]
    common = [("control", "cohort", "new", 90_000), ("slow80", "cohort", "new", 1_000)]
    every = [("control", "", "", 90_160), ("slow80", "", "", 1_000)]
    assert following(of_classes(*rare, *common, *every)) == {}
    assert following([]) == {}
    alone = of_classes(("control", "action", "offer", 900), ("control", "", "", 900))
    assert following(alone) == {}


@pytest.mark.parametrize(
    "shares", [(0.5, 0.5), (0.9, 0.1), (0.98, 0.01, 0.01)], ids=["halves", "a tenth", "three"]
)
def test_classes_of_before_follow_no_delay(shares: tuple[float, ...]) -> None:
    """One look in ten thousand says so by chance; of a hundred worlds none or one."""
    told = 0
    for seed in range(100):
        dice = np.random.default_rng(seed)
        arm = dice.choice(len(shares), 20_000, p=shares)
        name = dice.zipf(1.7, 20_000)
        pairs, counts = np.unique(np.stack([arm, name]), axis=1, return_counts=True)
        rows = [
            (f"a{of}", "cohort", f"c{own}", int(count))
            for of, own, count in zip(*pairs.tolist(), counts.tolist(), strict=True)
        ]
        every = [(f"a{of}", "", "", int((arm == of).sum())) for of in range(len(shares))]
        told += bool(following(of_classes(*rows, *every)))
    assert told <= 1
