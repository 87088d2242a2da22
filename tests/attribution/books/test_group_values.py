"""What groups of decisions are worth, by margin where there is one, else by revenue."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal

import pytest

from attribution.books.group_values import (
    GroupValue,
    missing_amounts,
    mixed_bases,
    read_group_values,
    still_to_come,
)
from attribution.core.config import AttributionConfig
from attribution.core.segments import segments_of
from attribution.core.selection import Selection
from attribution.sensitivity.job import SlopeJob
from attribution.vram.job import VramJob
from attribution.whatif.analyst import Analyst
from attribution.whatif.replay import Change
from collector.core.config import OutcomesConfig
from collector.core.times import NS_PER_DAY, NS_PER_HOUR, NS_PER_S
from collector.store.connect import Connections
from tests.support.attribution.attribution_job import job
from tests.support.attribution.rows_read import rows_read
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

CONFIG = AttributionConfig()
HOUR = Selection(BASE_NS - NS_PER_HOUR, BASE_NS + NS_PER_HOUR)


def values(store: Connections) -> tuple[dict[str, GroupValue], int]:
    """Return the groups by action, and how many rows were read for them."""
    found, read = rows_read(store, lambda: read_group_values(store, CONFIG, HOUR, "action"))
    return {each.name: each for each in found}, read


def test_revenue_counts_where_no_margin_is_known_and_is_read_only_there(
    store: Connections,
) -> None:
    """A group of margins is worth the same beside one of revenue, which takes a second look."""
    names = ["m0", "m1", "n0"]
    spans = [s for name in names for s in decision(name, 0, 50, decision__action=name[0])]
    put_spans(store, spans)
    put_outcomes(store, [
        outcome("s0", decision_id=trace_id("m0"), margin="4", revenue="40"),
        outcome("s1", decision_id=trace_id("m1"), revenue="60"),
        # It says that nothing was sold, which has no amount to be known.
        outcome("s2", decision_id=trace_id("n0"), converted=False),
    ])  # fmt: skip
    job(store).drain(BASE_NS + NS_PER_HOUR)
    alone, once = values(store)
    assert (alone["m"].basis, alone["n"].basis) == ("margin", "nothing")
    # The margin that is missing is the mean of those that are known.
    assert alone["m"].value_usd == pytest.approx(4)
    put_spans(store, decision("r0", 0, 50, received_s=3_700, decision__action="r"))
    put_outcomes(store, [outcome("s3", decision_id=trace_id("r0"), revenue="7.5")])
    job(store).drain(BASE_NS + 2 * NS_PER_HOUR)
    both, twice = values(store)
    assert both["r"].basis == "revenue"
    assert both["r"].value_usd == pytest.approx(7.5)
    assert both["m"] == alone["m"]
    assert twice > 1.5 * once


def test_mean_of_a_few_amounts_is_no_value_and_what_is_missing_is_told(store: Connections) -> None:
    """One margin beside two sales without any: three of its size were never earned."""
    names = ["a0", "a1", "a2", "b0", "b1"]
    put_spans(store, [s for n in names for s in decision(n, 0, 50, decision__action=n[0])])
    margins, revenues = {"a0": "90", "b1": "2"}, {"b0": "30", "b1": "10"}
    put_outcomes(store, [
        outcome(f"s{n}", decision_id=trace_id(n), margin=margins.get(n), revenue=revenues.get(n))
        for n in names
    ])  # fmt: skip
    job(store).drain(BASE_NS + NS_PER_HOUR)
    found, _ = values(store)
    assert (found["a"].basis, found["a"].earning, found["a"].unknown) == ("unknown", 3, 2)
    assert (found["b"].basis, found["b"].earned_usd, found["b"].unknown) == ("margin", 4, 1)
    (told,) = VramJob(CONFIG, store).compute(HOUR, "channel")["lineage"]["warnings"]
    assert told.startswith("the amount of 3 of 5 decisions that earned something is not known")
    assert missing_amounts([replace(found["a"], unknown=0)]) == []
    # What is stated stands for itself: no mean of anything is in it.
    assert missing_amounts([replace(found["a"], basis="expected")]) == []


def test_parts_of_a_window_are_added_up(store: Connections) -> None:
    """A month of 25 million decisions in one piece takes a gigabyte more."""
    day_ms = 86_400_000
    for day, margin in enumerate(("4", "6", "11")):
        name, at_s = f"a{day}", day * 86_400.0
        put_spans(store, decision(name, day * day_ms, 50, at_s + 1, decision__action="a"))
        put_outcomes(store, [outcome(f"s{day}", decision_id=trace_id(name), margin=margin,
                                     event_s=at_s + 2, received_s=at_s + 2)])  # fmt: skip
    put_spans(store, decision("b0", 2 * day_ms, 50, 2 * 86_400, decision__action="b"))
    job(store).drain(BASE_NS + 3 * NS_PER_DAY)
    window = Selection(BASE_NS - NS_PER_HOUR, BASE_NS + 2 * NS_PER_DAY + NS_PER_HOUR)
    a, b = read_group_values(store, CONFIG, window, "action", at_once=1)
    assert a == read_group_values(store, CONFIG, window, "action")[0]
    assert (a.decisions, a.told, a.sold, a.known) == (3, 3, 3, 3)
    assert a.value_usd == pytest.approx(7)
    assert a.last_ns - a.first_ns == 2 * NS_PER_DAY
    assert (b.name, b.decisions, b.first_ns) == ("b", 1, a.last_ns)


def test_stated_value_is_earned_less_what_was_lost(store: Connections) -> None:
    """30 of 60 decisions fail, each states $10: $300 on the Overview, and once $600 in a ranking.

    By hand: one in six is 80 ms late, at the prior before the 30th second and half per 100 ms after
    it; one that fails and would have cost $4 costs it all the same. Worth, and what-if, alike.
    """
    config = AttributionConfig(reference_latency_by_action_ms={"offer": 100.0})
    SlopeJob(config, store).store(halving(effective_ns=BASE_NS + 30 * NS_PER_S))
    spans = []
    for index in range(60):
        usd = "-4" if index == 31 else "10"
        one = decision(
            f"d{index}", 1_000 * index + 700, 180 if index % 6 == 0 else 90, decision__value_usd=usd
        )
        spans += [replace(one[0], status="Error") if index % 2 else one[0], *one[1:]]
    put_spans(store, spans)
    job(store, config).drain(BASE_NS + 100 * NS_PER_S)
    earned = 20 * 10 + 5 * 10 * 0.995**0.8 + 5 * 10 * 0.5**0.8 - 4
    (value,) = read_group_values(store, config, HOUR, "action")
    assert (value.basis, value.known) == ("expected", 60)
    assert value.earned_usd == pytest.approx(earned, abs=1e-5)
    assert value.earned_usd == pytest.approx(
        sum(float(each["earned_usd"]) for each in cells(store))
    )
    assert value.error == pytest.approx(
        math.sqrt(2_000 + 500 * (0.995**1.6 + 0.5**1.6) + 16) / earned
    )
    # Of a part of the window, which begins within a second.
    late = Selection(BASE_NS + 36 * NS_PER_S + NS_PER_S // 2, BASE_NS + 37 * NS_PER_S)
    (part,) = read_group_values(store, config, late, "region")
    assert part.decisions == 1
    assert part.earned_usd == pytest.approx(10 * 0.5**0.8, abs=1e-5)
    told = VramJob(config, store).compute(HOUR, "channel")
    (worth,) = told["groups"]
    assert worth["earned_usd"] == pytest.approx(earned, abs=1e-3)
    assert worth["erv_usd_per_s"]["median"] == pytest.approx(earned / 60, rel=1e-5)
    money = Analyst(config, store).what_if(HOUR, [Change(segments_of("store"), 0.0)], "class").money
    assert money is not None
    assert float(money.usd) == pytest.approx(earned * (2**0.2 - 1), abs=0.005)


def test_sum_beyond_64_bits_of_millionths_is_what_it_is(store: Connections) -> None:
    """1,000 sales within their bounds added up to less than nothing; stated values did as well."""
    most = Decimal("9999999999.99")
    spans = []
    for index in range(1_000):
        spans += decision(f"s{index}", index, 50, decision__action="sold")
        spans += decision(
            f"v{index}", index, 50, decision__action="stated", decision__value_usd=str(most)
        )
    put_spans(store, spans)
    put_outcomes(store, [
        outcome(f"o{index}", decision_id=trace_id(f"s{index}"), margin=str(most))
        for index in range(1_000)
    ])  # fmt: skip
    job(store).drain(BASE_NS + NS_PER_HOUR)
    found, _ = values(store)
    assert {name: each.basis for name, each in found.items()} == {
        "sold": "margin", "stated": "expected",
    }  # fmt: skip
    for each in found.values():
        assert each.earned_usd == pytest.approx(float(1_000 * most), rel=1e-12)
        assert each.value_usd == pytest.approx(float(most), rel=1e-12)


def test_refund_of_revenue_alone_takes_off_its_share_of_the_margin(store: Connections) -> None:
    """A shop knows what it paid back: three orders, of which one was refunded and one by half.

    As a sale of unknown margin each refunded order counted as the mean of the others.
    """
    put_spans(store, [
        each for index in range(3) for each in decision(f"d{index}", index, 50)
    ])  # fmt: skip
    sales = [
        outcome(f"o{index}", decision_id=trace_id(f"d{index}"), margin="12.40", revenue="49.90")
        for index in range(3)
    ]
    back = [
        outcome(f"r{of}", decision_id=trace_id(f"d{of}"), kind="refund", revenue=revenue)
        for of, revenue in ((1, "49.90"), (2, "24.95"))
    ]
    put_outcomes(store, sales + back)
    job(store).drain(BASE_NS + NS_PER_HOUR)
    (value,) = read_group_values(store, CONFIG, HOUR, "action")
    assert (value.basis, value.sold, value.unknown) == ("margin", 3, 0)
    assert value.earned_usd == pytest.approx(12.40 + 0 + 6.20)
    assert sum(Decimal(each["margin_usd"]) for each in cells(store)) == Decimal("18.60")


def test_action_and_region_that_sold_nothing_earned_nothing(store: Connections) -> None:
    """40 decisions in each of two regions, one sale of $100: $1.25 over 80, never $2.50 over 40.

    A channel that sold nothing is worth 0 beside it.
    """
    spans = []
    for index in range(40):
        for name in ("web-eu", "web-us", "dead-eu"):
            channel, region = name.split("-")
            spans += decision(f"{name}{index}", 1_000 * index, 50, decision__channel=channel,
                              decision__region=region)  # fmt: skip
    put_spans(store, spans)
    put_outcomes(store, [outcome("s", decision_id=trace_id("web-eu0"), margin="100")])
    job(store).drain(BASE_NS + NS_PER_HOUR)
    found = read_group_values(store, CONFIG, HOUR, "channel", BASE_NS + 2 * NS_PER_DAY)
    assert [(each.name, each.region, each.known, each.value_usd, each.basis) for each in found] == [
        ("dead", "eu", 40, 0.0, "nothing"),
        ("web", "eu", 40, 2.5, "margin"),
        ("web", "us", 40, 0.0, "nothing"),
    ]
    told = VramJob(CONFIG, store).compute(HOUR, "channel", BASE_NS + 2 * NS_PER_DAY)
    worth = {each["name"]: each for each in told["groups"]}
    assert (told["unknown"], worth["web"]["decisions"], worth["web"]["known"]) == ([], 80, 80)
    assert (worth["web"]["value_usd"], worth["dead"]["value_usd"]) == (1.25, 0.0)
    assert worth["dead"]["decisions"] == 40
    # What all earn is what was earned: nothing moves it.
    velocity = sum(each["erv_usd_per_s"]["median"] for each in told["groups"])
    assert velocity * told["lineage"]["counted_s"] == pytest.approx(100, rel=1e-5)


def test_silence_says_nothing_where_it_may_be_of_outcomes_themselves(store: Connections) -> None:
    """Before anybody sold, before outcomes could be here, or where each decision gets one."""
    spans = [
        each
        for index in range(40)
        for channel in ("web", "dead")
        for each in decision(f"{channel}{index}", 1_000 * index, 50, decision__channel=channel)
    ]
    put_spans(store, spans)
    put_outcomes(store, [outcome("s", decision_id=trace_id("web0"), margin="100")])
    job(store).drain(BASE_NS + NS_PER_HOUR)
    before_sale = Selection(BASE_NS + NS_PER_S, BASE_NS + NS_PER_HOUR)
    late_ns = BASE_NS + 2 * NS_PER_DAY
    soon_ns = BASE_NS + 60 * NS_PER_S
    each_sent = CONFIG.reading(OutcomesConfig(complete="all"))
    for config, selection, now_ns, known in (
        (CONFIG, HOUR, late_ns, {"web": 2.5, "dead": 0.0}),
        (CONFIG, HOUR, None, {"web": 2.5, "dead": 0.0}),
        (CONFIG, HOUR, soon_ns, {"web": 2.5}),
        (CONFIG, before_sale, late_ns, {}),
        (each_sent, HOUR, late_ns, {"web": 100.0}),
    ):
        found = read_group_values(store, config, selection, "channel", now_ns)
        assert len(found) == 2
        assert {each.name: each.value_usd for each in found if each.basis != "unknown"} == known
        assert all(math.isnan(each.value_usd) for each in found if each.name not in known)


def test_group_whose_sales_come_later_is_named_while_its_decisions_are_young(
    store: Connections,
) -> None:
    """20 sales of each channel, after a second or half an hour, of decisions of an hour."""
    spans, sales = [], []
    for index in range(40):
        for name, delay_s in (("fast", 1.0), ("slow", 1_800.0)):
            trace, start_s = f"{name}{index}", 90.0 * index
            spans += decision(trace, 1_000 * start_s, 50, decision__channel=name)
            if index < 20:
                sales.append(
                    outcome(f"s{trace}", decision_id=trace_id(trace), margin="1",
                            event_s=start_s + delay_s, received_s=start_s + delay_s)
                )  # fmt: skip
    put_spans(store, spans)
    put_outcomes(store, sales)
    job(store).drain(BASE_NS + 2 * NS_PER_HOUR)
    window = Selection(BASE_NS, BASE_NS + NS_PER_HOUR)

    def warned(now_s: int | None) -> list[str]:
        now_ns = None if now_s is None else BASE_NS + now_s * NS_PER_S
        told: list[str] = VramJob(CONFIG, store).compute(window, "channel", now_ns)["lineage"][
            "warnings"
        ]
        return told

    (told,) = warned(3_600)
    assert told.startswith("more than a tenth of the decisions are younger than sales take")
    assert "of slow (30 min): what they earn is told as far as their outcomes are here" in told
    # Half an hour after the last decision its sales are here.
    assert warned(5_400) == warned(None) == []


def test_few_sales_of_each_group_are_timed_together() -> None:
    """Three of a group tell little of it, and of all as much as of one."""
    one = GroupValue(
        "offer", "eu", "a", 100, 0, 3_600 * NS_PER_S, 100, 3.0, 0.03, "margin", 0.5, 100, 3, 0,
        sold=3, delay_s=3 * 1_800,
    )  # fmt: skip
    groups = [replace(one, name=name) for name in "abcd"]
    assert still_to_come(groups[:3], 3_600 * NS_PER_S) == []
    (told,) = still_to_come(groups, 3_600 * NS_PER_S)
    assert "of all groups (30 min): what" in told
    each = [replace(one, name=name, sold=30, delay_s=30 * 1_800) for name in "abcde"]
    (told,) = still_to_come(each, 3_600 * NS_PER_S)
    assert "of a (30 min), b (30 min), c (30 min), 2 more groups: what" in told
    assert still_to_come([], 3_600 * NS_PER_S) == []


def test_groups_that_are_valued_by_different_figures_are_named() -> None:
    """Two regions that sell the same were ranked two to one: of one the margin is sent."""
    one = GroupValue(
        "offer", "eu", "a", 100, 0, 3_600 * NS_PER_S, 100, 3.0, 0.03, "margin", 0.5, 100, 3, 0
    )
    unknown = replace(one, name="x", basis="unknown")
    assert mixed_bases([one, replace(one, name="b"), unknown]) == []
    dear = [replace(one, name=name, basis="revenue") for name in "cdefg"]
    (told,) = mixed_bases([one, unknown, *dear])
    assert "(margin: a; revenue: c, d, e, 2 more), so that their money does not compare" in told
    assert mixed_bases([]) == []
