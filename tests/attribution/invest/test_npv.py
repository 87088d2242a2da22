from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.invest.answers import compare_options
from attribution.invest.gate import (
    Basis,
    Demand,
    Evidence,
    Ruling,
    canonical,
    digest,
    document,
    judge,
    reproduce,
)
from attribution.invest.npv import (
    Driver,
    Option,
    PresentValues,
    Range,
    _drawn,
    draws,
    factors,
    present_values,
    product,
    tornado,
)
from attribution.invest.tiers import Tier, recovery_factor, tier_table

# A year's rate whose quarter is ten per cent, so that the sums below are done by hand.
RATE = Decimal("0.4641")
PROVEN = Evidence(Basis.EXPERIMENT, source="checkout-40", experiment_decisions=10**6)
AMOUNTS = st.decimals(0, 10**7, places=2)


def usd(amount: str) -> Range:
    """Return an amount that is known."""
    return Range.exactly(Decimal(amount))


def edge(**changes: Any) -> Option:  # noqa: ANN401  any field
    """Return an option over two quarters, the first with half of its gain."""
    told: dict[str, Any] = {
        "name": "managed edge",
        "capex": usd("1000"),
        "opex": usd("100"),
        "gain": usd("500"),
        "ramp": (Decimal("0.5"), Decimal(1)),
        "quarters": 2,
    }
    return Option(**{**told, **changes})


def test_present_values_agree_with_a_calculation_by_hand() -> None:
    """250/1.1 + 500/1.21 = 640.4959; 100/1.1 + 100/1.21 = 173.5537; less 1,000."""
    assert present_values(edge(), RATE) == PresentValues(
        capex=Decimal("1000.00"),
        opex=Decimal("173.55"),
        gain=Decimal("640.50"),
        npv=Decimal("-533.06"),
        payback_quarter=None,
    )


def test_payback_is_the_quarter_in_which_the_balance_turns() -> None:
    """-400 + (250-100)/1.1 = -263.6; + (500-100)/1.21 = +66.9."""
    assert present_values(edge(capex=usd("400")), RATE).payback_quarter == 2


def test_tornado_moves_one_input_at_a_time_and_ranks_by_width() -> None:
    """Gain from 300 to 900 at 1.280991735 a dollar is 768.60 wide."""
    option = edge(
        gain=Range(Decimal(300), Decimal(500), Decimal(900)),
        capex=Range(Decimal(900), Decimal(1000), Decimal(1300)),
    )
    swings = tornado(option, RATE)
    assert [(each.name, str(each.width)) for each in swings] == [
        ("gain", "768.60"), ("a quarter later", "433.88"), ("capex", "400.00"), ("opex", "0.00"),
    ]  # fmt: skip
    gain = swings[0]
    assert (gain.at_low, gain.at_high) == (Decimal("-789.26"), Decimal("-20.66"))


@pytest.mark.parametrize(
    "amount",
    [
        Range(Decimal(50), Decimal(100), Decimal(400)),
        Range(Decimal(-50), Decimal(20), Decimal(200)),
        Range(Decimal(20), Decimal(100), Decimal(400)),
        usd("70"),
    ],
)
def test_draws_have_the_quantiles_that_are_stated(amount: Range) -> None:
    """Two ways to the same distribution: by formula, and by drawing."""
    drawn = _drawn(amount, np.random.default_rng(7).standard_normal(200_000))
    for probability in (0.05, 0.2, 0.5, 0.95):
        stated = float(amount.quantile(probability))
        assert float(np.quantile(drawn, probability)) == pytest.approx(stated, rel=0.02, abs=1.0)
    assert float(amount.quantile(0.05)) == pytest.approx(float(amount.low))
    assert float(amount.quantile(0.95)) == pytest.approx(float(amount.high))


@given(
    lows=st.lists(st.decimals(-1_000, 1_000, places=2), min_size=2, max_size=2).map(sorted),
    high=st.decimals(1_000, 9_000, places=2),
    probability=st.floats(0.001, 0.499),
)
def test_lower_low_end_is_never_worth_more(
    lows: list[Decimal], high: Decimal, probability: float
) -> None:
    """Nor is what is exceeded less often; and what is above 0 stays there.

    Where a log-normal gave way to a normal at 0, the gate funded 0 and rejected 1.
    """
    lower, higher = (Range(low, Decimal(1_000), high) for low in lows)
    assert lower.quantile(probability) <= higher.quantile(probability)
    assert lower.quantile(probability) <= lower.quantile(probability + 0.001) <= 1_000
    others = [Range(Decimal(80), Decimal(100), Decimal(130))]
    assert product([lower, *others]).low <= product([higher, *others]).low
    if lower.low > 0:
        assert lower.quantile(probability) > 0


def test_draws_of_what_is_known_are_its_present_value() -> None:
    """Without uncertainty there is no interval, and a seed changes nothing."""
    (got,) = draws([edge()], RATE, count=100, seed=3)
    assert (got.p5, got.p50, got.p95) == (Decimal("-533.06"),) * 3
    assert got.positive_ratio == 0.0


@given(capex=AMOUNTS, opex=AMOUNTS, gain=AMOUNTS, quarters=st.integers(1, 40))
def test_parts_sum_to_the_net_present_value(
    capex: Decimal, opex: Decimal, gain: Decimal, quarters: int
) -> None:
    """Each part is rounded once, so that the sum is off by two cents at the most."""
    option = Option(
        "x", Range.exactly(capex), Range.exactly(opex), Range.exactly(gain), quarters=quarters
    )
    got = present_values(option, Decimal("0.1"))
    assert abs(got.gain - got.opex - got.capex - got.npv) <= Decimal("0.02")


@pytest.mark.parametrize(
    ("low", "median", "high"), [(2, 1, 3), (1, 4, 3)], ids=["low over median", "high under it"]
)
def test_a_range_ascends(low: int, median: int, high: int) -> None:
    """Quantiles in another order are a mistake in the file."""
    with pytest.raises(ValueError, match="do not ascend"):
        Range(Decimal(low), Decimal(median), Decimal(high))


def test_tiers_stop_where_the_next_millisecond_costs_more_than_it_brings() -> None:
    """Without interest over two years: 2,000 against 600 a millisecond, then 400 against 1,200."""
    tiers = [
        Tier(Decimal(100), Decimal(1_120_000), Decimal(140_000), Decimal(20_000)),
        Tier(Decimal(200), Decimal(1_000_000), Decimal(0), Decimal(0)),
        Tier(Decimal(150), Decimal(1_100_000), Decimal(40_000), Decimal(10_000)),
        # Would pay by itself, and cannot be reached.
        Tier(Decimal(80), Decimal(1_900_000), Decimal(140_001), Decimal(20_000)),
    ]
    table = tier_table(tiers, Decimal(0), 2)
    assert [
        (str(step.to_ms), str(step.revenue_usd_per_ms), str(step.cost_usd_per_ms), step.pays)
        for step in table.steps
    ] == [
        ("150", "2000.00", "600.00", True),
        ("100", "400.00", "1200.00", False),
        ("80", "39000.00", "0.02", True),
    ]
    assert table.stop_ms == 150
    # The textbook's 10 % over three years.
    assert recovery_factor(Decimal("0.10"), 3) == pytest.approx(Decimal("0.4021148"))


def test_capital_of_a_tier_is_spread_over_its_life_by_hand() -> None:
    """At 10 % over three years 0.1 x 1.331 / 0.331 = 0.40211480 of a capital come due each year.

    40,000 x 0.40211480 + 10,000 = 26,084.59 for 50 ms are 521.69; 100,000 for 50 ms are 2,000.
    From 150 to 100 ms: (60,000 x 0.40211480 + 15,000) / 50 = 782.54 against 25,000 / 50.
    """
    tiers = [
        Tier(Decimal(200), Decimal(1_000_000), Decimal(0), Decimal(0)),
        Tier(Decimal(150), Decimal(1_100_000), Decimal(40_000), Decimal(10_000)),
        Tier(Decimal(100), Decimal(1_125_000), Decimal(100_000), Decimal(25_000)),
    ]
    table = tier_table(tiers, Decimal("0.10"), 3)
    assert [(str(s.revenue_usd_per_ms), str(s.cost_usd_per_ms), s.pays) for s in table.steps] == [
        ("2000.00", "521.69", True), ("500.00", "782.54", False),
    ]  # fmt: skip
    assert table.stop_ms == 150


def test_gate_funds_what_its_low_end_covers_and_says_by_how_much() -> None:
    """The gain at its 20 % quantile, times 1.280991735, over the cost."""
    option = edge(capex=usd("100"), gain=Range(Decimal(300), Decimal(500), Decimal(700)))
    got = judge(option, Evidence(Basis.ESTIMATE, source="report 12"), Demand(rate=RATE))
    # 500 x (300/500)^(0.8416/1.6449) = 384.997, x 1.280991735 = 493.18; cost 100 + 173.55.
    assert (got.ruling, got.gain_low_usd, got.cost_usd, got.multiple) == (
        Ruling.FUND, Decimal("493.18"), Decimal("273.55"), Decimal("1.8029"),
    )  # fmt: skip
    dear = judge(
        option, Evidence(Basis.ESTIMATE, source="report 12"), Demand(rate=RATE, multiple=Decimal(2))
    )
    assert dear.ruling is Ruling.REJECT


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        (Evidence(Basis.PRIOR), "rests on prior, which proves no cause"),
        (Evidence(Basis.OBSERVATIONAL), "rests on observational"),
        (Evidence(Basis.ESTIMATE), "not where that is written down; say so in source"),
        (Evidence(Basis.EXPERIMENT, source="x"), "nobody recomputed experiment 'x'"),
        (
            Evidence(Basis.ESTIMATE, "not yet identified", None, 1_200_000),
            "not yet identified; 1,200,000 more decisions are needed",
        ),
    ],
)
def test_gate_refuses_what_the_data_cannot_say(evidence: Evidence, reason: str) -> None:
    """However large the gain would be; what a stated one comes to is told, and no ruling."""
    got = judge(edge(gain=usd("1000000")), evidence, Demand())
    assert got.ruling is Ruling.REFUSE
    assert reason in got.reason
    is_told = evidence.replayed is None and evidence.basis is not Basis.OBSERVATIONAL
    assert (got.gain_low_usd is not None) == is_told


def test_verdict_is_worked_out_again_from_its_own_inputs() -> None:
    """And a changed input, or a changed ruling, no longer equals it."""
    told = document(edge(), PROVEN, Demand(), "2026-11-25T00:00:00Z")
    assert reproduce(told) == told
    assert digest(reproduce(told)) == digest(told)
    forged = {**told, "verdict": {**told["verdict"], "ruling": "fund"}}
    assert reproduce(forged) != forged
    cheaper = {**told, "option": {**told["option"], "name": "other"}}
    assert canonical(cheaper) != canonical(told)
    with pytest.raises(ValueError, match="it is not a verdict"):
        reproduce({"version": 4})
    with pytest.raises(ValueError, match="version 9"):
        reproduce({**told, "version": 9})


def test_factors_of_a_slow_ramp() -> None:
    """0.5/1.1 + 1/1.21 and 1/1.1 + 1/1.21."""
    gain, opex = factors(edge(), RATE)
    assert gain == pytest.approx(Decimal("1.280991735"))
    assert opex == pytest.approx(Decimal("1.735537190"))


def three() -> list[tuple[Option, Evidence]]:
    """Return in-house edge, managed edge and hybrid over three years."""
    evidence = PROVEN
    half = (Decimal("0.5"), Decimal(1))
    return [
        (Option("in-house edge", usd("500000"), usd("40000"), usd("150000"), half), evidence),
        (Option("managed edge", usd("60000"), usd("110000"), usd("160000")), evidence),
        (Option("hybrid", usd("220000"), usd("70000"), usd("150000"), half), evidence),
    ]


def test_three_options_over_three_years_agree_with_a_calculation_by_hand() -> None:
    """At 10 % a quarter twelve dollars are worth (1 - 1.1^-12) / 0.1 = 6.813691823.

    Half a first quarter takes 0.5 / 1.1 = 0.454545 off. In-house: 150,000 x 6.359146 - 40,000 x
    6.813692 - 500,000 = 953,871.96 - 272,547.67 - 500,000. Managed: 50,000 x 6.813692 - 60,000.
    Hybrid: 953,871.96 - 70,000 x 6.813692 - 220,000.
    """
    got = compare_options(three(), RATE, 3, seed=1)
    assert [(each.name, str(each.values.npv)) for each in got.options] == [
        ("managed edge", "280684.59"), ("hybrid", "256913.53"), ("in-house edge", "181324.28"),
    ]  # fmt: skip
    inhouse = got.options[2].values
    assert (inhouse.gain, inhouse.opex, inhouse.capex) == (
        Decimal("953871.96"), Decimal("272547.67"), Decimal("500000.00"),
    )  # fmt: skip
    # What is known has no interval: one option is the best in every draw.
    assert [each.draws.best_ratio for each in got.options] == [1.0, 0.0, 0.0]
    assert (got.nothing_is_best_ratio, got.options[0].sign_turns_on) == (0.0, [])


def test_gain_of_drivers_is_their_product() -> None:
    """2 x 50 = 100; halves and doubles of each, sqrt(2) times as far as a logarithm."""
    two = Range(Decimal(1), Decimal(2), Decimal(4))
    fifty = Range(Decimal(25), Decimal(50), Decimal(100))
    # 100 x 2^-sqrt(2) = 37.52, 100 x 2^sqrt(2) = 266.51.
    assert product([two, fifty]) == Range(Decimal("37.52"), Decimal("100.00"), Decimal("266.51"))
    # One that may be nothing: 100 +- sqrt(100^2 + 50^2), 100 + sqrt(100^2 + 100^2).
    unsure = Range(Decimal(0), Decimal(2), Decimal(4))
    assert product([unsure, fifty]) == Range(Decimal("-11.80"), Decimal(100), Decimal("241.42"))
    option = edge(gain=product([two, fifty]), drivers=(Driver("a", two), Driver("b", fifty)))
    # 1.280991735 x 100 = 128.10, less 1,173.55; at half and at twice as much.
    swing = {each.name: (each.at_low, each.at_high) for each in tornado(option, RATE)}
    assert swing["a"] == swing["b"] == (Decimal("-1109.50"), Decimal("-917.36"))
    assert "gain" not in swing


def test_options_that_share_a_driver_are_compared_in_the_same_worlds() -> None:
    """Twice the same unsure volume at a higher price is better in every single draw."""
    volume = Driver("volume", Range(Decimal(10), Decimal(100), Decimal(1000)))

    def sold(name: str, price: str) -> Option:
        parts = (volume, Driver(f"price of {name}", usd(price)))
        gain = product([each.amount for each in parts])
        return edge(name=name, capex=usd("0"), opex=usd("0"), gain=gain, drivers=parts)

    cheap, dear = draws([sold("cheap", "1"), sold("dear", "2")], RATE, count=2_000)
    assert (cheap.best_ratio, dear.best_ratio) == (0.0, 1.0)
    assert dear.p50 == pytest.approx(2 * cheap.p50, rel=Decimal("0.0001"))
    (alone,) = draws([sold("cheap", "1")], RATE, count=2_000)
    assert (alone.p5, alone.p95) == (cheap.p5, cheap.p95)


def test_gate_takes_costs_at_the_quantile_that_they_stay_below() -> None:
    """Capital of 1,000, in one case of five 1,200: x = 1000 (1200/1000)^1 at the 95 % quantile."""
    option = edge(capex=Range(Decimal(900), Decimal(1000), Decimal(1200)), opex=usd("0"))
    demand = Demand(rate=RATE, probability=Decimal("0.95"))
    got = judge(option, PROVEN, demand)
    assert (got.cost_usd, got.gain_low_usd) == (Decimal("1200.00"), Decimal("640.50"))


def test_gate_does_not_fund_a_loss_because_it_is_free() -> None:
    """A gain that may be negative costs more than nothing."""
    option = edge(
        capex=usd("0"), opex=usd("0"), gain=Range(Decimal(-90), Decimal(20), Decimal(200))
    )
    got = judge(option, PROVEN, Demand(rate=RATE))
    assert got.ruling is Ruling.REJECT


@given(low=AMOUNTS, more=AMOUNTS, most=AMOUNTS, probability=st.decimals("0.5", "0.99", places=2))
def test_verdict_of_any_amounts_reproduces(
    low: Decimal, more: Decimal, most: Decimal, probability: Decimal
) -> None:
    """Through its own text, as it is stored."""
    gain = Range(low, low + more, low + more + most)
    drivers = (Driver("a", gain), Driver("b", usd("0.3")))
    option = edge(gain=product([each.amount for each in drivers]), drivers=drivers)
    evidence = PROVEN
    told = document(option, evidence, Demand(probability=probability), "2026-11-25T00:00:00Z")
    assert reproduce(json.loads(canonical(told))) == told
