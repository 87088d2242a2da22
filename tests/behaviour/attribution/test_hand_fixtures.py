"""Worlds small enough for a sheet of paper, through the store, and every figure of theirs by hand.

Each has 100 decisions in one second; a rate is over a minute, the least that one is of. Half of
the value is lost in 20 ms, so 20 ms less double what is earned. Over the reference of 80 ms a
decision of 180 keeps 1/32 of its value: what failures and lateness lose is 31 times what is earned.

What an investment saves is scaled from seven days to a quarter: x 91.3125 / 7. At 10 % a quarter
twelve quarters of a dollar are worth (1 - 1.1^-12) / 0.1 = 6.81369182 dollars; capital of 1,000 and
100 a quarter cost 1,681.37. The gate asks for 1.5 times that, 2,522.06.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest

from attribution.books.reconcile import reconcile
from attribution.books.unit_cost import unit_cost
from attribution.core.config import AttributionConfig, ChannelConfig
from attribution.core.selection import Selection
from attribution.invest.file import InvestFile
from attribution.invest.job import InvestJob
from attribution.jobs.attribution import AttributionJob
from attribution.sensitivity.job import SlopeJob
from attribution.vram.job import VramJob
from collector.core.config import AttributesConfig, OutcomesConfig
from collector.core.times import NS_PER_DAY, NS_PER_MS, NS_PER_S
from collector.imports.costs import import_costs
from collector.imports.rates import RATES, import_dated
from collector.store.connect import Connections
from dashboard.read.reader import Reader
from dashboard.read.rows import Range
from tests.support.attribution.slopes import halving
from tests.support.attribution.stored import (
    BASE_NS,
    cells,
    decision,
    outcome,
    put_outcomes,
    put_spans,
    trace_id,
)

DAY_NS = BASE_NS // NS_PER_DAY * NS_PER_DAY  # 2033-05-18
WEEK = Selection(DAY_NS - 6 * NS_PER_DAY, DAY_NS + NS_PER_DAY)
A_DAY = 86_400.0
FILE = InvestFile.model_validate(
    {
        "invest": {"rate": "0.4641", "window_days_min": 0},  # 1.1^4 - 1
        "options": [
            {"name": "x", "capex_usd": 1000, "opex_usd_per_quarter": 100,
             "saves": {"store": "20ms"}}
        ],
    }
)  # fmt: skip
BILL = "BilledCost,EffectiveCost,BillingCurrency,ChargePeriodStart,ChargePeriodEnd,ProviderName\n"
TODAY = "2033-05-18T00:00:00Z,2033-05-19T00:00:00Z"


def sales(count: int, usd: str = "10", **more: Any) -> list[dict[str, Any]]:  # noqa: ANN401  as `outcome`
    """Return a sale of each of the first decisions."""
    return [{"id": f"s{at}", "of": at, "usd": usd, **more} for at in range(count)]


@dataclass(frozen=True)
class World:
    """What happened, and the figures by hand."""

    outcomes: Sequence[dict[str, Any]]
    earned: str  # by the decisions of known outcome
    velocity: str  # USD in a minute: value of one x decisions
    lost: str  # by failures and lateness
    saved: str  # in the week, where the store takes 20 ms less
    gain: str  # of twelve quarters
    ruling: str
    npv: str
    matched: str  # revenue of the reconciliation
    unit_cost: str
    complete: str = "sales"
    known: int = 100
    latency_ms: Sequence[float] = (180,)  # in turn
    failed: int = 0  # the last ones
    bill: str = f"0,2.40,USD,{TODAY},a\n"
    rate: str = ""  # of EUR
    again: bool = False  # everything is sent twice
    channels: dict[str, ChannelConfig] = field(default_factory=dict)


# 300 x 91.3125 / 7 = 3,913.39; x 6.81369182 = 26,664.63; less 1,681.37 = 24,983.26.
PLAIN: dict[str, Any] = {
    "earned": "300.00", "velocity": "300.00", "lost": "9300.00", "saved": "300.00",
    "gain": "26664.63", "ruling": "fund", "npv": "24983.26", "matched": "300.00",
    "unit_cost": "0.024000",
}  # fmt: skip
WORLDS = {
    "30 sales of 10": World(sales(30), **PLAIN),
    "every decision says so, 30 sold": World(
        [*sales(30), *({"id": f"n{at}", "of": at, "converted": False} for at in range(30, 100))],
        complete="all", **PLAIN,
    ),
    # An amount of 0.00 beside `converted: false` is no sale.
    "every decision says so, in amounts of 0.00": World(
        [*sales(30),
         *({"id": f"n{at}", "of": at, "usd": "0", "converted": False} for at in range(30, 100))],
        complete="all", **PLAIN,
    ),
    # The mean of the 30 is what the one whose amount is missing earned; those of 0.00 lower none.
    "a missing amount among amounts of 0.00": World(
        [*sales(30), {"id": "m", "of": 30},
         *({"id": f"n{at}", "of": at, "usd": "0", "converted": False} for at in range(31, 100))],
        complete="all",
        **{**PLAIN, "earned": "310.00", "velocity": "310.00", "lost": "9610.00",
           "saved": "310.00", "gain": "27553.48", "npv": "25872.11"},
    ),
    # 15 of 50 known ones sold: 3 a decision, and so 300 of all.
    "half of the outcomes are still to come": World(
        [*sales(15), *({"id": f"n{at}", "of": at, "converted": False} for at in range(15, 50))],
        complete="all", known=50, **{**PLAIN, "earned": "150.00", "matched": "150.00"},
    ),
    # What failed earned nothing, and earns nothing when it is faster. 80 keep 1/32, 20 nothing:
    # 300 x 32 / 80 x 100 = 12,000 had none failed or been late.
    "a fifth failed": World(sales(30), failed=20, **{**PLAIN, "lost": "11700.00"}),
    "a fifth failed, every decision says so": World(
        [*sales(30), *({"id": f"n{at}", "of": at, "converted": False} for at in range(30, 100))],
        complete="all", failed=20, **{**PLAIN, "lost": "11700.00"},
    ),
    # Whatever they took: 20 ms less double what was earned, and lateness is in that already.
    # 300 x 2^0.5 - 300 are lost.
    "10 ms late": World(sales(30), latency_ms=(90,), **{**PLAIN, "lost": "124.26"}),
    "in time": World(sales(30), latency_ms=(80,), **{**PLAIN, "lost": "0.00"}),
    # 50 keep all and 50 keep 1/32, 51.5625 in all: 300 x 100 / 51.5625 - 300.
    "every other one in time": World(
        sales(30), latency_ms=(60, 180), **{**PLAIN, "lost": "281.82"}
    ),
    # 3 x 20.02 - 20.02 - 6.66 = 33.38; x 13.04464 = 435.43; x 6.81369 = 2,966.89.
    "a refund of all and one of a part": World(
        [*sales(3, "20.02"), {"id": "r1", "of": 0, "usd": "20.02", "kind": "refund"},
         {"id": "r2", "of": 1, "usd": "-6.66", "kind": "refund"}],
        **{**PLAIN, "earned": "33.38", "velocity": "33.38", "lost": "1034.78",
           "saved": "33.38", "gain": "2966.89", "npv": "1285.52", "matched": "33.38"},
    ),
    # 3 x 20.02 + 20 x 1.25 - 6.66 = 78.40; x 13.04464 = 1,022.70; x 6.81369 = 6,968.36.
    # 1.20 USD + 0.80 EUR x 1.25 + half of 2.40 USD = 3.40 over 100.
    "two currencies, and a bill in both": World(
        [*sales(3, "20.02"), {"id": "e", "of": 3, "usd": "20", "currency": "EUR"},
         {"id": "r", "of": 1, "usd": "6.66", "kind": "refund"}],
        rate="1.25",
        bill=f"0,1.20,USD,{TODAY},a\n0,0.80,EUR,{TODAY},b\n"
             "0,2.40,USD,2033-05-17T00:00:00Z,2033-05-19T00:00:00Z,a\n",
        **{**PLAIN, "earned": "78.40", "velocity": "78.40", "lost": "2430.40",
           "saved": "78.40", "gain": "6968.36", "npv": "5286.99", "matched": "78.40",
           "unit_cost": "0.034000"},
    ),
    # Of 31 sales one has no known amount: it is the mean of the others, and in no sum of the books.
    "a currency without a rate": World(
        [*sales(30), {"id": "e", "of": 30, "usd": "99", "currency": "GBP"}],
        **{**PLAIN, "earned": "310.00", "velocity": "310.00", "lost": "9610.00",
           "saved": "310.00", "gain": "27553.48", "npv": "25872.11"},
    ),
    "everything is sent twice": World(sales(30), again=True, **PLAIN),
    # The sale of day 40 is not counted, and is taken back first: 0.50 more is taken back than that.
    "sold and taken back after the horizon": World(
        [*sales(30), {"id": "late", "of": 0, "usd": "7", "day": 40},
         {"id": "back", "of": 0, "usd": "7.50", "kind": "refund", "day": 41}],
        **{**PLAIN, "earned": "299.50", "velocity": "299.50", "lost": "9284.50",
           "saved": "299.50", "gain": "26620.21", "npv": "24938.84"},
    ),
    "sold after 40 days, within its horizon of 90": World(
        [*sales(29), {"id": "late", "of": 29, "usd": "10", "day": 40}],
        channels={"web": ChannelConfig(kind="owned", horizon_days=90)},
        **{**PLAIN, "matched": "290.00"},
    ),
    # 30 x 10, of which one is corrected to 4.50 under its own id.
    "a correction": World(
        [*sales(30), {"id": "s0", "of": 0, "usd": "4.50", "kind": "correction", "s": 9}],
        **{**PLAIN, "earned": "294.50", "velocity": "294.50", "lost": "9129.50",
           "saved": "294.50", "gain": "26175.82", "npv": "24494.45", "matched": "294.50"},
    ),
    # Of a refund under the sale's own id the sale is gone: 29 x 10.
    "a refund that replaces its sale": World(
        [*sales(30), {"id": "s0", "of": 0, "usd": "10", "kind": "refund", "s": 9}],
        **{**PLAIN, "earned": "290.00", "velocity": "290.00", "lost": "8990.00",
           "saved": "290.00", "gain": "25775.86", "npv": "24094.49", "matched": "290.00"},
    ),
}  # fmt: skip


@pytest.fixture
def config(request: pytest.FixtureRequest) -> AttributionConfig:
    """Return the settings of a world."""
    world = WORLDS[request.getfixturevalue("name")]
    outcomes = OutcomesConfig.model_validate({"complete": world.complete})
    return AttributionConfig().reading(outcomes, world.channels)


def happen(store: Connections, config: AttributionConfig, world: World) -> None:
    """Store all that happened, and attribute it."""
    spans = []
    for at in range(100):
        latency_ms = world.latency_ms[at % len(world.latency_ms)]
        one = decision(f"d{at}", 9 * at, latency_ms, decision__channel="web")
        spans += [replace(one[0], status="Error"), *one[1:]] if at >= 100 - world.failed else one
    told = [
        outcome(
            each["id"],
            decision_id=trace_id(f"d{each['of']}"),
            kind=each.get("kind", "sale"),
            converted=each.get("converted", True),
            margin=each.get("usd"),
            revenue=each.get("usd"),
            currency=each.get("currency", "USD"),
            event_s=each.get("day", 0) * A_DAY + each.get("s", 2),
            received_s=150,
        )
        for each in world.outcomes
    ]
    for _ in range(1 + world.again):
        put_spans(store, spans)
        put_outcomes(store, told)
        bill = import_costs(store.client(), "b.csv", (BILL + world.bill).encode(), "b", BASE_NS)
        assert bill.refused == ()
    if world.rate:
        rate = f"day,currency,rate\n2033-05-17,EUR,{world.rate}\n".encode()
        import_dated(store.client(), RATES, "r.csv", rate, BASE_NS)
    beta = math.log(2) / (20 * NS_PER_MS)
    # Measured from 50 ms on: what is judged goes from 80 ms to 60 at most.
    slope = replace(
        halving(),
        median_per_ns=beta,
        low_per_ns=beta,
        high_per_ns=beta,
        latency_low_ns=50 * NS_PER_MS,
    )
    SlopeJob(config, store).store(slope)
    AttributionJob(config, AttributesConfig(), store).drain(BASE_NS + 200 * NS_PER_S)


@pytest.mark.parametrize("name", WORLDS)
def test_figures_are_those_by_hand(
    store: Connections, config: AttributionConfig, name: str
) -> None:
    """Rate, velocity, replay, gate, net present value, books and unit cost, to the cent."""
    world = WORLDS[name]
    happen(store, config, world)
    told = VramJob(config, store).compute(WEEK, "channel")
    (web,) = told["groups"]
    assert (web["decisions"], web["known"], told["lineage"]["counted_s"]) == (100, world.known, 60)
    assert f"{web['earned_usd']:.2f}" == world.earned
    assert f"{web['value_usd'] * 100:.2f}" == world.velocity
    assert f"{web['erv_usd_per_s']['median'] * 60:.2f}" == world.velocity
    seen = Reader(store).revenue(Range(WEEK.from_ns, WEEK.to_ns))
    assert f"{seen.earned_usd:.2f}" == world.velocity
    assert seen.per_hour == 60
    per_ms = web["marginal_usd_per_ms_hour"]["median"]
    by_hand = math.log(2) / 20 * float(world.velocity) / 60 * 3600
    assert per_ms == pytest.approx(by_hand, rel=1e-5)
    assert web["loss_per_100ms"]["median"] == pytest.approx(1 - 2**-5)

    invest = InvestJob(config, store)
    row = invest.judge(FILE, "", WEEK, (WEEK.to_ns, "2033-05-19T00:00:00Z"), "cfo")
    saved = row.document["evidence"]["replayed"]["saved_usd"]
    assert saved == {"low": world.saved, "median": world.saved, "high": world.saved}
    assert (row.ruling, str(row.gain_low_usd), str(row.cost_usd)) == (
        world.ruling, world.gain, "1681.37",
    )  # fmt: skip
    (option,) = invest.compare(FILE, WEEK).options
    assert str(option.values.npv) == world.npv

    assert f"{sum(each['loss_usd'] for each in cells(store)):.2f}" == world.lost
    days = reconcile(config, store, WEEK.from_ns, WEEK.to_ns)
    assert f"{sum((each.matched for each in days), Decimal(0)):.2f}" == world.matched
    assert str(unit_cost(config, store, Selection(DAY_NS, WEEK.to_ns)).per_decision) == (
        world.unit_cost
    )


def test_velocity_of_the_overview_is_what_its_window_earned(store: Connections) -> None:
    """Thirty sales of 10.00 in the first 30 of 100 seconds, and 70 decisions that sold nothing."""
    names = [f"d{at}" for at in range(100)]
    put_spans(
        store, [each for at, name in enumerate(names) for each in decision(name, 1_000 * at, 100)]
    )
    told = [
        outcome(f"o{at}", decision_id=trace_id(name), margin="10", received_s=100)
        for at, name in enumerate(names[:30])
    ]
    put_outcomes(store, told)
    AttributionJob(AttributionConfig(), AttributesConfig(), store).drain(BASE_NS + 200 * NS_PER_S)
    reader = Reader(store)
    whole = reader.revenue(Range(BASE_NS, BASE_NS + 100 * NS_PER_S))
    assert (whole.earned_usd, whole.per_hour) == (Decimal(300), Decimal(36))
    # Nothing was earned there, which is known: sales of the class come, and none is of these.
    rest = reader.revenue(Range(BASE_NS + 40 * NS_PER_S, BASE_NS + 100 * NS_PER_S))
    assert (rest.earned_usd, rest.per_hour, rest.bases) == (Decimal(0), Decimal(60), ["margin"])
