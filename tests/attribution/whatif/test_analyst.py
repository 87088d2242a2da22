from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from attribution.core.config import AttributionConfig, LatencyBudget
from attribution.core.segments import SEGMENTS, segments_of
from attribution.core.selection import Narrowed, Selection
from attribution.jobs.attribution import AttributionJob
from attribution.sensitivity.job import SlopeJob
from attribution.vram.job import VramJob
from attribution.whatif.analyst import REPLAYED_MAX, Analyst
from attribution.whatif.replay import Change
from collector.core.config import AttributesConfig
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from tests.support.attribution.slopes import halving
from tests.support.attribution.stored import (
    BASE_NS,
    MS,
    decision,
    put_outcome,
    put_sales,
    put_spans,
    trace_id,
)

HOUR = Selection(BASE_NS, BASE_NS + 3600 * NS_PER_S)
STORE = segments_of("store")


def analyst(store: Connections) -> Analyst:
    """Return one that asks this store."""
    return Analyst(AttributionConfig(), store)


def attributed(store: Connections) -> None:
    """Let the job work off what is stored."""
    config = AttributionConfig()
    AttributionJob(config, AttributesConfig(), store).drain(BASE_NS + 3000 * NS_PER_S)


def test_what_if_is_answered_from_what_the_job_stored(store: Connections) -> None:
    """Two decisions of 100 and 200 ms, each waits 20 ms for a store; one earned ten dollars."""
    put_spans(store, decision("a", 0, 100) + decision("b", 400, 200))
    put_outcome(store, "o1", decision_id=trace_id("a"), margin="10")
    attributed(store)
    got = analyst(store).what_if(HOUR, [Change(STORE, 0.25)], "class")
    assert (got.decisions, got.replayed, got.saved_ns) == (2, 2, 30 * MS)
    assert got.before is not None
    assert got.after is not None
    assert (got.before.mean_ms, got.after.mean_ms) == (150.0, 135.0)
    assert [(each.part, each.saved_ns) for each in got.shares] == [("store", 30 * MS)]
    assert got.money is not None
    beta = -math.log1p(-0.005) / 100
    kept = [math.exp(-beta * ms) for ms in (100, 200, 85, 185)]
    # Ten dollars is what both earned together.
    saved = 10 * ((kept[2] + kept[3]) / (kept[0] + kept[1]) - 1)
    assert got.money.usd == Decimal(saved).quantize(Decimal("0.01"))
    assert got.money.low_usd < got.money.usd < got.money.high_usd
    assert (got.money.bases, got.money.unvalued) == (["margin"], 0)
    assert got.money.slope.startswith("assumed rate")
    assert sum(each.usd or 0 for each in got.shares) == got.money.usd


def test_what_is_replayed_is_what_was_earned_in_the_window_itself(store: Connections) -> None:
    """Thirty sales of ten dollars in the first 30 of 100 seconds: 300.00, and no running mean."""
    names = [f"d{at}" for at in range(100)]
    spans = [each for at, name in enumerate(names) for each in decision(name, 1_000 * at, 100)]
    put_spans(store, spans)
    put_sales(store, names[:30], "10", told_s=100)
    attributed(store)
    got = analyst(store).what_if(HOUR, [Change(STORE, 0.0)], "class")
    beta = -math.log1p(-0.005) / 100
    assert got.money is not None
    # Every decision is 20 ms faster.
    assert got.money.usd == Decimal(300 * math.expm1(20 * beta)).quantize(Decimal("0.01"))


@pytest.mark.parametrize("hours", [0.1, 1, 24])
def test_dollars_an_hour_are_of_the_time_that_has_decisions(
    store: Connections, hours: float
) -> None:
    """However wide the window is: 30 dollars a second for two minutes, and as `worth` says it."""
    names = [f"d{at}" for at in range(240)]
    spans = [each for at, name in enumerate(names) for each in decision(name, 500 * at, 100)]
    spans += [each for at in range(60) for each in decision(f"b{at}", 500 * at - 600_000, 90)]
    put_spans(store, spans)
    put_sales(store, names[::4], "60", told_s=130)
    attributed(store)
    window = Selection(BASE_NS, BASE_NS + round(hours * 3600) * NS_PER_S)
    ask = analyst(store)
    ten = Change(frozenset(range(len(SEGMENTS))), decision_ns=10 * MS)
    money = ask.what_if(window, [ten], "class").money
    assert money is not None
    a_second = 30 * math.expm1(10 * -math.log1p(-0.005) / 100)
    assert float(money.usd_per_hour) == pytest.approx(a_second * 3600, abs=0.01)
    (worth,) = VramJob(AttributionConfig(), store).compute(window, "action")["groups"]
    gain = worth["gain_10ms_usd_per_hour"]["median"]
    assert float(money.usd_per_hour) == pytest.approx(gain, abs=0.01)
    # Ten minutes before, each took 10 ms less: the more costs what the value of the class says.
    statement = (
        "SELECT sum(value_usd) / sum(decisions) FROM revenue_cells FINAL WHERE second_ns >= "
    )
    [(value,)] = store.client().query(f"{statement}{BASE_NS}").result_rows
    assert 0 < value < 15, "five in six of the decisions that are valued had sales"
    before = Narrowed(Selection(BASE_NS - 600 * NS_PER_S, BASE_NS))
    compared = ask.compare(before, Narrowed(window))
    slower = max(compared.segments, key=lambda each: each.change_ms)
    beta = -math.log1p(-0.005) / 100
    an_hour = float(value) * 2 * 10 * beta * 3600
    assert float(slower.usd_per_hour or 0) == pytest.approx(an_hour, abs=0.01)


def test_segments_are_priced_as_the_headline_while_sales_are_on_their_way(
    store: Connections,
) -> None:
    """All of a box lost $8,000 an hour, and the line below said $18 of the one slow segment."""
    usual = [each for at in range(120) for each in decision(f"a{at}", 500 * at - 600_000, 90)]
    slow = [each for at in range(120) for each in decision(f"b{at}", 500 * at, 290)]
    put_spans(store, usual + slow)
    put_sales(store, [f"a{at}" for at in range(120)], "15", told_s=1)
    attributed(store)
    before = Narrowed(Selection(BASE_NS - 600 * NS_PER_S, BASE_NS))
    compared = analyst(store).compare(before, Narrowed(Selection(BASE_NS, BASE_NS + 60 * NS_PER_S)))
    slower = max(compared.segments, key=lambda each: each.change_ms)
    headline, segment = float(compared.usd_per_hour or 0), float(slower.usd_per_hour or 0)
    assert headline > 500
    # Of 200 ms more a few are below the target, and each loses less than the one before it.
    assert headline < segment < 1.5 * headline


@pytest.mark.parametrize(("asked_s", "is_warned"), [(130, True), (7_200, False)])
def test_money_of_a_window_whose_sales_are_on_their_way_is_said_to_be_too_low(
    store: Connections, asked_s: int, *, is_warned: bool
) -> None:
    """It was $20 an hour, with an interval about it, of what cost $5,000."""
    put_spans(store, [each for at in range(120) for each in decision(f"d{at}", 1_000 * at, 100)])
    put_sales(store, [f"d{at}" for at in range(0, 120, 2)], "15", told_s=125)
    attributed(store)
    now_ns = BASE_NS + asked_s * NS_PER_S
    got = analyst(store).what_if(HOUR, [Change(STORE, 0.0)], "class", now_ns)
    assert ["too low" in each for each in got.warnings] == [True] * is_warned


def test_selection_narrows_by_region_and_latency(store: Connections) -> None:
    """What a page has brushed is what is replayed."""
    put_spans(
        store,
        decision("a", 0, 100)
        + decision("b", 400, 200)
        + decision("c", 800, 90, decision__region="us"),
    )
    attributed(store)
    slow = Selection(HOUR.from_ns, HOUR.to_ns, region="eu", low_ns=150 * MS)
    got = analyst(store).what_if(slow, [Change(STORE, 0.0)], "class")
    assert (got.decisions, got.saved_ns) == (1, 20 * MS)
    assert got.money is None
    assert got.no_money == "no decision of the window has a known value"


def test_calibration_is_in_no_answer_but_its_own(store: Connections) -> None:
    """What is delayed on purpose is no customer's."""
    put_spans(store, decision("a"))
    put_spans(store, decision("b", 400, decision__action="calibration"))
    attributed(store)
    ask = analyst(store)
    assert ask.what_if(HOUR, [Change(STORE, 0.5)], "class").decisions == 1
    alone = replace(HOUR, action="calibration")
    assert ask.what_if(alone, [Change(STORE, 0.5)], "class").decisions == 1
    assert ask.compare(Narrowed(HOUR), Narrowed(alone)).decisions_before == 1


def test_an_empty_window_is_an_answer(store: Connections) -> None:
    """No decisions: no latencies, no money, and no error."""
    got = analyst(store).what_if(HOUR, [Change(STORE, 0.5)], "class")
    assert (got.decisions, got.before, got.money, got.saved_ms_mean) == (0, None, None, None)
    compared = analyst(store).compare(Narrowed(HOUR), Narrowed(HOUR))
    assert (compared.verdict, compared.before, compared.change_ms) == ("n too small", None, 0.0)


def test_a_sample_stands_for_all_and_is_the_same_every_time(store: Connections) -> None:
    """Dollars are those of all decisions, whatever part of them is replayed."""
    count = REPLAYED_MAX + 400
    ten = [each for at in range(count) for each in decision(f"{at:05d}", at / 10, 100)]
    put_spans(store, [each for each in ten if each.span_id != "post"])
    put_sales(store, [f"{at:05d}" for at in range(count)], "10")
    attributed(store)
    first = analyst(store).what_if(HOUR, [Change(STORE, 0.0)], "class")
    assert first.decisions == count
    assert first.replayed == pytest.approx(count / 2, rel=0.1)
    assert first.money is not None
    each = 10 * math.expm1(-math.log1p(-0.005) / 100 * 20)
    assert float(first.money.usd) == pytest.approx(each * count, rel=1e-4)
    assert analyst(store).what_if(HOUR, [Change(STORE, 0.0)], "class") == first


def test_comparison_names_the_segment_that_got_slower(store: Connections) -> None:
    """An hour before and an hour after: 60 decisions each, the root 40 ms longer."""
    jitter = [7 * at % 13 for at in range(60)]
    before = [decision(f"a{at}", 1_000 * at, 100 + jitter[at]) for at in range(60)]
    after = [decision(f"b{at}", 600_000 + 1_000 * at, 140 + jitter[-at]) for at in range(60)]
    put_spans(store, [each for one in before + after for each in one])
    put_outcome(store, "o1", decision_id=trace_id("b0"), margin="10", event_s=700)
    attributed(store)
    cut = BASE_NS + 600 * NS_PER_S
    got = analyst(store).compare(
        Narrowed(Selection(BASE_NS, cut)),
        Narrowed(Selection(cut, cut + 600 * NS_PER_S, region="eu")),
    )
    assert got.verdict == "different"
    first = got.segments[0]
    assert (first.segment, first.is_different) == ("decision/compute", True)
    assert first.low_ms < 40 < first.high_ms
    assert got.mix_ms == pytest.approx(0, abs=1e-9)
    assert first.usd_per_hour is not None
    assert first.usd_per_hour > 0
    assert [each.is_different for each in got.segments[1:]] == [False] * 15


def brushed(store: Connections) -> tuple[Narrowed, Narrowed]:
    """Put 60 slow decisions of one region among 180 others; return all, and a box of the slow."""
    spans = [
        each
        for at in range(240)
        for each in decision(
            f"d{at}",
            1_000 * at,
            (300 if at % 4 == 0 else 100) + at % 13,
            decision__region="eu" if at % 4 == 0 or at % 8 == 1 else "us",
            decision__channel="app" if at % 3 == 0 else "web",
        )
    ]
    put_spans(store, spans)
    attributed(store)
    return Narrowed(HOUR), Narrowed(replace(HOUR, low_ns=250 * MS))


def test_the_rest_is_what_is_outside_the_box(store: Connections) -> None:
    """A box of slow decisions, and all others: the region that they are of is named, with n."""
    everything, box = brushed(store)
    got = analyst(store).compare(everything, box, rest=True)
    assert (got.decisions_before, got.decisions_after) == (180, 60)
    assert (got.one_in_before, got.one_in_after, got.is_assumed) == (1, 1, True)
    first = got.values[0]
    assert (first.dimension, first.value, first.is_different) == ("region", "eu", True)
    assert (first.decisions_before, first.decisions_after) == (30, 60)
    assert 0 < first.low_ms < first.excess_ms < first.high_ms
    assert first.usd_per_hour is None
    channels = [each for each in got.values if each.dimension == "channel"]
    assert {each.value for each in channels} == {"app", "web"}
    assert not any(each.is_different for each in channels)


def test_lateness_of_unknown_cost_is_not_nothing(store: Connections) -> None:
    """Half of the later ones take 320 ms more: it said "under a cent", and $0.00 lost."""
    SlopeJob(AttributionConfig(), store).store(halving("unknown", "refused", effective_ns=1))
    names = [f"d{at}" for at in range(160)]
    spans = [
        each
        for at, name in enumerate(names)
        for each in decision(
            name,
            500 * at,
            400 if at >= 80 and at % 2 else 80,
            decision__region="eu" if at % 2 else "us",
        )
    ]
    put_spans(store, spans)
    put_sales(store, names[::4] + names[1::4], "60", told_s=130)
    attributed(store)
    until = BASE_NS + 40 * NS_PER_S
    before = Narrowed(Selection(BASE_NS, until))
    got = analyst(store).compare(before, Narrowed(Selection(until, until + 40 * NS_PER_S)))
    assert (got.usd_per_hour, got.lost_after.usd, got.lost_after.unknown) == (None, None, 40)
    assert (got.lost_before.usd, got.lost_after.left_out) == (Decimal(0), 0)
    [eu] = [each for each in got.values if each.value == "eu"]
    assert (eu.is_different, eu.usd_per_hour) == (True, None)


@pytest.mark.parametrize(
    ("narrowed", "decisions"),
    [
        ({"channel": "app"}, 80),
        ({"service": "shop"}, 240),
        ({"service": "nobody"}, 0),
        ({"cohort": "new"}, 0),
        ({"places": (10,)}, 240),
        ({"places": (11,)}, 0),
    ],
)
def test_sides_are_narrowed_as_lists_are(
    store: Connections, narrowed: dict[str, Any], decisions: int
) -> None:
    """What a page filters by is what is compared."""
    everything, _ = brushed(store)
    got = analyst(store).compare(replace(everything, **narrowed), everything)
    assert got.decisions_before == decisions


def test_budgets_are_judged_by_their_own_decisions(store: Connections) -> None:
    """By action, region and segment; what calibrates is in none, and is shown beside them."""
    put_spans(
        store,
        [each for at in range(40) for each in decision(f"a{at}", 20_000 * at, 70 + at % 5)]
        + decision("us", 0, 500, decision__region="us")
        + [
            each
            for at in range(3)
            for each in decision(
                f"c{at}", 1_000 * at, 400, decision__action="calibration",
                decision__region="reference",
            )
        ],
    )  # fmt: skip
    attributed(store)
    budgets = (
        LatencyBudget(name="eu", region="eu", p50_ms=80, p95_ms=60),
        LatencyBudget(name="store", region="eu", segment="decision/store", p50_ms=19.999),
        LatencyBudget(name="nobody", action="price", p95_ms=10),
    )
    config = AttributionConfig(budgets=budgets, budget_window_s=3600)
    got = Analyst(config, store).budgets(BASE_NS + 3000 * NS_PER_S)

    assert [(each.name, str(each.verdict), each.decisions) for each in got] == [
        ("eu", "missed", 40), ("store", "missed", 40), ("nobody", "no decisions", 0),
    ]  # fmt: skip
    assert [each.measured_ms for each in got[0].promises] == [72.0, 74.0]
    assert [str(each.verdict) for each in got[0].promises] == ["met", "missed"]
    assert (got[1].promises[0].measured_ms, got[1].promises[0].over_ratio) == (20.0, 1.0)
    assert got[2].promises[0].measured_ms is None
    assert (got[0].reference_p50_ms, got[1].reference_p50_ms) == (400.0, 20.0)


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"name": "x"}, "budget 'x' promises nothing"),
        ({"name": "x", "p50_ms": 1, "segment": "cache"}, "'cache' names no segment"),
    ],
)
def test_a_budget_that_cannot_be_judged_stops_the_start(
    settings: dict[str, Any], error: str
) -> None:
    """In the line that every bad setting gets."""
    with pytest.raises(ValidationError, match=error):
        LatencyBudget(**settings)
