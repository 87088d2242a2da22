from __future__ import annotations

import math
import random
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from attribution.core.config import SlopePrior
from attribution.revenue.loss import (
    SUM_MAX,
    Cells,
    Decisions,
    Slope,
    Values,
    lost_shares,
    replace_seconds,
    slope_of,
    sum_cells,
    value_cells,
)
from attribution.revenue.outcomes import Outcome, Outcomes, earned_by_decision
from attribution.revenue.sums import BASES, EarnedInCells
from attribution.revenue.window import earned_in_window, halves, whole
from collector.core.times import NS_PER_MS, NS_PER_S
from tests.support.examples import examples

SLOPE = slope_of(SlopePrior())


def sale(
    margin: int | None = None,
    revenue: int | None = None,
    *,
    kind: str = "sale",
    is_sale: bool = True,
    decision: int = 0,
) -> Outcome:
    """Return one outcome; amounts are millionths."""
    return Outcome(decision, kind, is_sale and kind != "refund", margin, revenue)


def decisions(*rows: tuple[int, int, float, bool, int | None], all_sent: bool = False) -> Decisions:
    """Return decisions of (second, group, latency ms, failed, stated millionths); L0 is 80 ms.

    Where all outcomes are sent, one without an outcome is not known; else it earned nothing.
    """
    return Decisions(
        second_ns=np.array([row[0] * NS_PER_S for row in rows], np.int64),
        group=np.array([row[1] for row in rows], np.int64),
        total_ns=np.array([round(row[2] * NS_PER_MS) for row in rows], np.int64),
        reference_ns=np.full(len(rows), 80 * NS_PER_MS, np.int64),
        is_error=np.array([row[3] for row in rows], bool),
        stated_micros=np.array([row[4] or 0 for row in rows], np.int64),
        is_stated=np.array([row[4] is not None for row in rows], bool),
        is_silent=np.full(len(rows), not all_sent),
    )


def valued(own: Decisions, outcomes: list[Outcome], window_s: int = 60) -> tuple[Cells, Values]:
    """Sum and value decisions as if nothing had been stored before."""
    cells = sum_cells(
        own, earned_by_decision(Outcomes.from_rows(outcomes), len(own.second_ns)), SLOPE
    )
    none = np.empty(0, np.int64)
    groups = int(cells.group.max(initial=0)) + 1
    window = earned_in_window(
        cells, np.zeros((groups, len(fields(EarnedInCells)), 2), np.int64), cells.second_ns,
        cells.group,
        cells.earned.matrix(), window_s * NS_PER_S,
    ) if len(cells) else EarnedInCells(*[none] * len(fields(EarnedInCells)))  # fmt: skip
    return cells, value_cells(cells, window)


def test_slope_takes_half_a_percent_per_100_ms() -> None:
    """The prior is stated in the words of the papers it comes from."""
    late_by_100ms = np.array([180 * NS_PER_MS])
    shares = lost_shares(late_by_100ms, np.array([80 * NS_PER_MS]), np.array([False]), SLOPE)
    assert [share[0] for share in shares] == pytest.approx([0.005, 0.0015, 0.017], rel=1e-12)
    assert math.isclose(SLOPE.median, -math.log(0.995) / 1e8, rel_tol=1e-12)


@pytest.mark.parametrize(
    ("latency_ms", "failed", "share"),
    [
        pytest.param(79.9, False, 0.0, id="in time loses nothing"),
        pytest.param(80.0, False, 0.0, id="on the reference loses nothing"),
        pytest.param(280.0, False, 1 - 0.995**2, id="200 ms late compounds"),
        pytest.param(10.0, True, 1.0, id="failed loses all, however fast"),
    ],
)
def test_share_lost(latency_ms: float, failed: bool, share: float) -> None:
    """Source: notes on alerts, 1.2."""
    total = np.array([round(latency_ms * NS_PER_MS)])
    lost = lost_shares(total, np.array([80 * NS_PER_MS]), np.array([failed]), SLOPE)[0][0]
    assert lost == pytest.approx(share, abs=1e-12)


def test_value_is_the_mean_margin_of_the_class() -> None:
    """Two of four decisions convert at 6 and 10 dollars: 4 dollars each, 0.5 % late, by hand."""
    own = decisions(*[(5, 0, 180, False, None)] * 4)
    outcomes = [
        sale(6_000_000, decision=0), sale(10_000_000, decision=1),
        sale(is_sale=False, decision=2), sale(is_sale=False, decision=3),
    ]  # fmt: skip
    cells, values = valued(own, outcomes)
    assert BASES[values.basis[0]] == "margin"
    assert (cells.decisions[0], cells.late[0], values.unvalued[0]) == (4, 4, 0)
    # 16 dollars are what 99.5 % of the value earned.
    assert values.value_micros.tolist() == [16_080_402]
    assert (values.value_micros - values.loss_micros).tolist() == [16_000_000]
    assert values.loss_micros.tolist() == [80_402]
    # Slopes of 0.3 and 3.4 times the median; sales in one second, which may be one and a second
    # one that is twice as large: 0.0396 and 7.33 times the value.
    logs = np.log([24_121 / 80_402, 273_367 / 80_402]), np.log([0.0396, 7.332])
    low, high = 80_402 * np.exp([-1, 1] * np.hypot(*logs))
    assert values.loss_low_micros == pytest.approx(low, rel=0.01)
    assert values.loss_high_micros == pytest.approx(high, rel=0.01)
    assert values.loss_squared[0] == pytest.approx(4 * 0.0201005**2)


@pytest.mark.parametrize("late_s", [10, 300, 300_000])
def test_late_by_minutes_are_worth_what_they_were_late_by_seconds(late_s: int) -> None:
    """A clock that stepped by 300 s made 20 dollars 34 million, and paged for billions an hour."""
    total_ms = 80 + late_s * 1_000
    own = decisions(*[(5, 0, total_ms, False, None)] * 4, *[(5, 1, total_ms, True, None)] * 4)
    outcomes = [sale(20_000_000, decision=0), sale(20_000_000, decision=1)]
    _, values = valued(own, outcomes)
    kept = 0.995**100  # after 10 s
    assert values.value_micros.tolist() == pytest.approx([40_000_000 / kept, 0], rel=1e-6)
    assert values.earned_micros.tolist() == [40_000_000, 0]
    # Beside those that are not late they change what one is worth by little.
    own = decisions(*[(5, 0, 80, False, None)] * 99, (5, 0, total_ms, False, None))
    _, values = valued(own, [sale(20_000_000, decision=index) for index in range(100)])
    assert values.value_micros[0] == pytest.approx(2_000_000_000 / (99 + kept) * 100, rel=1e-6)


def test_slope_so_steep_that_nothing_is_kept_makes_no_value_without_bound() -> None:
    """Of 40 % for 100 ms, 10 s leave 10^-22."""
    own = decisions(*[(5, 0, 10_080, False, None)] * 4)
    sold = earned_by_decision(Outcomes.from_rows([sale(20_000_000, decision=0)]), 4)
    steep = Slope(*(slope_of(SlopePrior()).median * 100,) * 3)
    cells = sum_cells(own, sold, steep)
    assert cells.kept_ppb.tolist() == [4 * 10_000_000]


@pytest.mark.parametrize("told", [0, 1, 40])
def test_decision_without_an_outcome_earned_nothing_where_sales_are_sent(told: int) -> None:
    """200 decisions and 4 sales are worth 20 cents each, whoever else says that nothing was sold.

    One record `converted: false` multiplied a channel by 92 where data chose the denominator.
    """
    own = decisions(*[(5, 0, 80, False, None)] * 200)
    sales = [sale(10_000_000, decision=at) for at in (0, 50, 100, 150)]
    nothing = [sale(is_sale=False, decision=151 + at) for at in range(told)]
    cells, values = valued(own, [*sales, *nothing])
    assert (cells.known.tolist(), cells.kept_ppb.tolist()) == ([200], [200_000_000_000])
    assert values.value_micros.tolist() == [40_000_000]


def test_decision_without_an_outcome_is_not_known_where_all_are_sent() -> None:
    """Three of four known decisions sold for ten dollars: 7.50 each, of all 200."""
    own = decisions(*[(5, 0, 80, False, None)] * 200, all_sent=True)
    outcomes = [sale(10_000_000, decision=index) for index in range(3)]
    cells, values = valued(own, [*outcomes, sale(is_sale=False, decision=3)])
    assert cells.known.tolist() == [4]
    assert values.value_micros.tolist() == [1_500_000_000]


def test_failed_decision_loses_its_whole_value() -> None:
    """What failed would have earned what the other did, and counts once.

    At every slope alike, so that what one sale says of its value is all that is unknown.
    """
    own = decisions((5, 0, 20, True, None), (5, 0, 20, False, None))
    cells, values = valued(own, [sale(6_000_000, decision=1)])
    assert cells.failed.tolist() == [1]
    assert values.value_micros.tolist() == [12_000_000]
    assert values.loss_micros.tolist() == [6_000_000]
    assert values.loss_low_micros == pytest.approx(6_000_000 * 0.0396, rel=0.01)
    assert values.loss_high_micros == pytest.approx(6_000_000 * 4.728, rel=0.01)


def test_where_all_failed_what_they_would_have_earned_is_unknown() -> None:
    """And never nothing: an outage that lasts as long as the window is no cheap one."""
    _, values = valued(decisions((5, 0, 20, True, None), (5, 0, 20, True, None)), [])
    assert (BASES[values.basis[0]], values.unvalued[0], values.loss_micros[0]) == ("unknown", 2, 0)


def test_without_margins_the_value_is_the_mean_revenue() -> None:
    """And says so: revenue is not profit."""
    _, values = valued(decisions((5, 0, 180, False, 9)), [sale(None, 20_000_000)])
    assert BASES[values.basis[0]] == "revenue"
    assert values.loss_micros.tolist() == [100_503]  # 0.5 % of what 99.5 % of it earned, 20 USD


@pytest.mark.parametrize(
    ("margins", "revenues", "basis", "value"),
    [(1, 0, "margin", 4), (1, 2, "margin", 4), (0, 2, "revenue", 30), (0, 0, "unknown", 0)],
)
def test_mean_of_a_few_amounts_is_no_value(
    margins: int, revenues: int, basis: str, value: int
) -> None:
    """Of two sales: a margin of half of them stands for both, and one beside two more does not."""
    sales = [
        sale(
            2_000_000 if index < margins else None,
            15_000_000 if index < revenues else None,
            decision=index,
        )
        for index in range(2)
    ]
    own = decisions(*[(5, 0, 50, False, None)] * 2)
    _, values = valued(own, sales)
    assert (BASES[values.basis[0]], values.value_micros[0]) == (basis, value * 1_000_000)
    own = decisions(*[(5, 0, 50, False, None)] * 4)
    _, values = valued(own, [*sales, sale(None, decision=2), sale(None, decision=3)])
    few = revenues < 2
    assert (BASES[values.basis[0]], values.unvalued[0]) == (
        "unknown" if few else "revenue", 4 if few else 0
    )  # fmt: skip


def test_without_outcomes_a_decision_is_worth_what_it_states() -> None:
    """Those that state nothing are unvalued, not worthless."""
    own = decisions((5, 0, 180, False, 2_000_000), (5, 0, 180, False, None))
    cells, values = valued(own, [])
    assert BASES[values.basis[0]] == "expected"
    assert values.value_micros.tolist() == [2_000_000]
    assert values.loss_micros.tolist() == [10_000]
    assert (values.unvalued.tolist(), cells.stated.tolist()) == ([1], [1])


def test_unknown_value_is_unknown() -> None:
    """It is in no dollar figure, and counted."""
    _, values = valued(decisions((5, 0, 180, True, None)), [sale(is_sale=False)])
    assert BASES[values.basis[0]] == "unknown"
    assert values.unvalued.tolist() == [1]
    assert values.loss_micros.tolist() == [0]


def test_class_that_costs_money_is_no_loss_to_lose() -> None:
    """Its value stays negative; losing it is not revenue at risk."""
    own = decisions(*[(index, 0, 20, index == 5, None) for index in range(6)])
    sales = [sale(-2_000_000, decision=index) for index in range(5)]
    _, values = valued(own, sales)
    assert values.value_micros.tolist()[-1] == -2_000_000
    assert values.loss_micros.tolist() == [0] * 6


def test_one_large_loss_does_not_say_that_a_class_costs_money() -> None:
    """Of 600 orders of $50 one took back $50,000: what one that fails had earned is unknown."""
    own = decisions(*[(index, 0, 20, index == 600, None) for index in range(601)])
    sales = [sale(50_000_000, decision=index) for index in range(599)]
    _, values = valued(own, [*sales, sale(-50_000_000_000, decision=599)], window_s=900)
    assert BASES[values.basis[598]] == "margin"
    assert BASES[values.basis[600]] == "unknown"
    assert (values.unvalued[600], values.loss_micros[600]) == (1, 0)


def test_classes_and_seconds_do_not_mix() -> None:
    """Checkout in one region says nothing about browsing in another."""
    own = decisions((5, 0, 80, False, None), (5, 1, 80, False, None), (6, 1, 80, False, None))
    _, values = valued(own, [sale(8_000_000, decision=0), sale(2_000_000, decision=2)])
    assert [BASES[basis] for basis in values.basis] == ["margin", "unknown", "margin"]
    assert values.value_micros.tolist() == [8_000_000, 0, 1_000_000]


def test_value_rests_on_the_window_up_to_its_second() -> None:
    """What was earned before the window has left the mean, to the second."""
    own = decisions(*[(second, 0, 20, False, None) for second in (1, 5, 11, 12)])
    outcomes = [sale(8_000_000, decision=0), sale(2_000_000, decision=1)]
    _, values = valued(own, outcomes, window_s=10)
    assert values.value_micros.tolist() == [8_000_000, 5_000_000, 1_000_000, 666_667]


def test_touched_second_replaces_the_stored_one() -> None:
    """A cell that lost its last decision is taken back by zeros."""
    stored, _ = valued(
        decisions((5, 0, 20, False, 7), (5, 1, 20, False, 7), (6, 0, 20, False, 7)), []
    )
    fresh, _ = valued(decisions((5, 0, 90, False, 9)), [])
    cells = replace_seconds(stored, fresh, np.array([5 * NS_PER_S]))
    assert (cells.second_ns // NS_PER_S).tolist() == [5, 5, 6]
    assert cells.group.tolist() == [0, 1, 0]
    assert cells.decisions.tolist() == [1, 0, 1]
    assert cells.stated_micros.tolist() == [9, 0, 7]


AMOUNTS = st.integers(-SUM_MAX, SUM_MAX)


@given(st.lists(AMOUNTS, min_size=1, max_size=30), st.lists(AMOUNTS, min_size=1, max_size=30))
@example([0], [1, SUM_MAX])
@settings(max_examples=examples(60), deadline=None)
def test_sum_is_exact_or_unknown_and_never_wrapped(margins: list[int], stated: list[int]) -> None:
    """One sum beyond 64 bits would stop every later pass, or be a figure out of nothing."""
    count = max(len(margins), len(stated))
    own = decisions(
        *(
            (5, 0, 180, False, stated[index] if index < len(stated) else None)
            for index in range(count)
        )
    )
    cells, values = valued(own, [sale(each, decision=index) for index, each in enumerate(margins)])
    for amounts, known, total in (
        (margins, cells.margins[0], cells.margin_micros[0]),
        (stated, cells.stated[0], cells.stated_micros[0]),
    ):
        holds = sum(map(abs, amounts)) <= SUM_MAX
        assert (known, total) == ((len(amounts), sum(amounts)) if holds else (0, 0))
    assert abs(values.value_micros[0]) <= SUM_MAX
    assert 0 <= values.loss_micros[0] <= SUM_MAX
    is_unknown = BASES[values.basis[0]] == "unknown"
    assert values.unvalued[0] == count if is_unknown else values.unvalued[0] < count


def test_window_is_valued_by_its_mean_however_much_is_in_it() -> None:
    """Twenty seconds earn more than 64 bits hold, and the mean of one decision is what it was."""
    own = decisions(*((second, 0, 80, False, None) for second in range(20)))
    _, values = valued(own, [sale(SUM_MAX, decision=index) for index in range(20)])
    assert values.value_micros.tolist() == [SUM_MAX] * 20


def test_value_that_no_column_holds_is_unknown() -> None:
    """A mean of one decision times as many as the second has."""
    own = decisions(*[(5, 0, 180, False, None)] * 3)
    cells, values = valued(own, [sale(SUM_MAX, decision=0), sale(is_sale=False, decision=1)])
    assert (cells.margins[0], cells.margin_micros[0]) == (1, SUM_MAX)
    assert (BASES[values.basis[0]], values.unvalued[0]) == ("unknown", 3)
    assert (values.value_micros[0], values.loss_micros[0], values.loss_squared[0]) == (0, 0, 0)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=50))
def test_halves_add_up_beyond_64_bits(values: list[int]) -> None:
    """To what whole numbers without a bound give, rounded once."""
    summed = halves(np.array(values, np.int64)).sum(axis=0)
    assert float(whole(summed)) == float(sum(values))


@given(st.integers(0, 2**32))
@settings(max_examples=examples(60), deadline=None)
def test_cells_do_not_depend_on_order_and_match_a_plain_sum(seed: int) -> None:
    """The same decisions in another order are the same dollars, to the millionth."""
    rng = random.Random(seed)
    rows = [
        (
            rng.randint(1, 30), rng.randint(0, 2), rng.choice([20, 80, 95.5, 400]),
            rng.random() < 0.2, rng.choice([None, 0, 5_000_000]),
        )
        for _ in range(rng.randint(1, 40))
    ]  # fmt: skip
    outcomes = [
        sale(
            *rng.choice([(None, 11), (3_000_001, 11), (3_000_001, None), (None, None)]),
            is_sale=rng.random() < 0.8,
            decision=at,
        )
        for at in range(len(rows))
        if rng.random() < 0.6
    ]
    cells, values = valued(decisions(*rows), outcomes, window_s=7)
    order = list(range(len(rows)))
    rng.shuffle(order)
    moved = [
        Outcome(order.index(o.decision), o.kind, o.is_sale, o.margin_micros, o.revenue_micros)
        for o in outcomes
    ]
    again, same = valued(decisions(*[rows[at] for at in order]), moved, window_s=7)
    assert values.loss_micros.tolist() == same.loss_micros.tolist()
    assert cells.lost_share.tolist() == again.lost_share.tolist()

    earned = earned_by_decision(Outcomes.from_rows(outcomes), len(rows)).matrix()
    for at in range(len(cells)):
        second, group = int(cells.second_ns[at]) // NS_PER_S, int(cells.group[at])
        inside = [
            i for i, row in enumerate(rows) if row[1] == group and second - 7 < row[0] <= second
        ]
        _, _, _, converted, margins, margin, revenues, revenue = earned[inside].sum(axis=0).tolist()
        kept = sum(kept_of(rows[i]) for i in inside)
        amounts = ((margin, margins), (revenue, revenues))
        amount, known = next((each for each in amounts if 2 * each[1] >= converted), (0, 0))
        mean = amount / known * converted / kept if known and kept else None
        own = [row for row in rows if row[:2] == (second, group)]
        lost = [1.0 if row[3] else 1 - 0.995 ** (max(row[2] - 80, 0) / 100) for row in own]
        if mean is None:
            wanted = sum(s * (row[4] or 0) for s, row in zip(lost, own, strict=True))
        else:
            wanted = sum(lost) * mean
        assert values.loss_micros[at] == pytest.approx(wanted, abs=1)


def kept_of(row: tuple[int, int, float, bool, int | None]) -> float:
    """Return which share of its value a decision kept, to the billionth."""
    return 0.0 if row[3] else round(0.995 ** (max(row[2] - 80, 0) / 100), 9)
