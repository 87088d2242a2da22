from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from attribution.books.group_values import GroupValue, contradictions
from attribution.core.config import AttributionConfig, ChannelConfig
from attribution.core.selection import Selection
from attribution.jobs.attribution import AttributionJob
from attribution.vram.document import content_hash, differences
from attribution.vram.job import SAMPLE_MAX, VramJob
from collector.core.config import AttributesConfig, OutcomesConfig
from collector.core.errors import InputError
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from tests.support.attribution.stored import (
    BASE_NS,
    decision,
    outcome,
    put_outcomes,
    put_sales,
    put_spans,
    trace_id,
)

HOUR = Selection(BASE_NS, BASE_NS + 3600 * NS_PER_S)
NOW_NS = BASE_NS + 7200 * NS_PER_S


@pytest.fixture
def vram(store: Connections) -> VramJob:
    """Return the job over 36 web and 36 app decisions; those of the region mars have no value."""
    spans = []
    for index in range(36):
        channel = "web" if index % 2 else "app"
        spans += decision(f"a{index}", 1_000 * index, 100, decision__channel=channel)
        spans += decision(f"b{index}", 1_000 * index, 180, decision__channel=channel)
    spans += decision("m", 0, 100, decision__channel="kiosk", decision__region="mars")
    put_spans(store, spans)
    put_sales(store, [f"{each}{index}" for each in "ab" for index in range(36)], "10")
    config = AttributionConfig()
    AttributionJob(config, AttributesConfig(), store).drain(BASE_NS + 100 * NS_PER_S)
    return VramJob(config, store)


def test_model_values_groups_by_what_their_decisions_are_worth(vram: VramJob) -> None:
    """36 decisions in 36 seconds of ten dollars each, whatever their latency."""
    told = vram.model(HOUR, "channel", NOW_NS)
    assert told["lineage"]["decisions"] == 73
    assert told["unknown"] == ["kiosk"]
    assert [each["name"] for each in told["groups"]] == ["app", "web"]
    beta = -math.log1p(-0.005) / 100
    # A minute is the least that a rate is of.
    erv = 36 / 60 * 10
    app = told["groups"][0]
    assert (app["earned_usd"], app["known"], app["value_usd"]) == (360.0, 36, 10.0)
    assert app["erv_usd_per_s"]["median"] == erv
    assert told["lineage"]["counted_s"] * erv == 360.0
    per_ms = app["marginal_usd_per_ms_hour"]
    assert per_ms["median"] == pytest.approx(beta * erv * 3600, rel=1e-5)
    assert app["marginal_usd_per_ms_year"] is None
    assert told["lineage"]["annualised"].startswith("no figure of a year: 0.000694 days of")
    assert told["lineage"]["denominator"].startswith("all decisions: one without an outcome")
    assert per_ms["low"] < per_ms["median"] < per_ms["high"]
    assert {point["shift_ms"] for point in app["curve"]} >= {-50, 0, 200}
    assert sum(each["weight"] for each in told["weights"]) == pytest.approx(1.0)
    assert told["lineage"]["slope"].startswith("assumed rate")
    assert told["lineage"]["slope_version"] == 0


def test_equal_model_keeps_its_version_and_another_gets_the_next(vram: VramJob) -> None:
    """What was told can be found again; asking twice makes no second version."""
    first = vram.model(HOUR, "channel", NOW_NS)
    again = vram.model(HOUR, "channel", NOW_NS + NS_PER_S)
    other = vram.model(Selection(HOUR.from_ns, HOUR.from_ns + 10 * NS_PER_S), "channel", NOW_NS)
    assert (first["version"], again["version"], other["version"]) == (1, 1, 2)
    assert again == first == vram.load(1)
    changes = differences(first, other)
    assert {(each["kind"], each["name"]) for each in changes} >= {
        ("group", "app"), ("group", "web"), ("lineage", "decisions"),
    }  # fmt: skip
    sizes = [abs(each["after"] - each["before"]) for each in changes if each["kind"] == "group"]
    assert sizes == sorted(sizes, reverse=True)
    assert differences(first, first) == []
    with pytest.raises(InputError, match="no VRAM model 9; versions: 1, 2"):
        vram.load(9)


def test_dimension_that_is_none_is_refused(vram: VramJob) -> None:
    """With those there are."""
    with pytest.raises(InputError, match="'team' is not a dimension; choose channel, region"):
        vram.model(HOUR, "team", NOW_NS)


def test_empty_window_is_a_model_without_groups(store: Connections) -> None:
    """And no error: a page that is opened before the first decision says so."""
    told = VramJob(AttributionConfig(), store).model(HOUR, "region", NOW_NS)
    assert (told["groups"], told["weights"], told["unknown"]) == ([], [], [])


def test_hash_names_the_content_and_not_its_number() -> None:
    """The same figures under another number are the same model."""
    told: dict[str, Any] = {"version": 1, "computed_ns": 5, "groups": []}
    assert content_hash(told) == content_hash({**told, "version": 2, "computed_ns": 9})
    assert content_hash(told) != content_hash({**told, "groups": [1]})


def test_group_is_worth_what_its_own_decisions_earned(store: Connections) -> None:
    """A hundred dollars a decision in one channel, one in another, unknown in a third."""
    spans = []
    for index in range(40):
        for place, channel in enumerate(("web", "app", "kiosk")):
            start_ms = 1_000 * index + 300 * place
            spans += decision(f"{channel}{index}", start_ms, 180, decision__channel=channel)
    put_spans(store, spans)
    put_sales(store, [f"web{index}" for index in range(40)], "100")
    put_sales(store, [f"app{index}" for index in range(20)], "2")
    config = AttributionConfig()
    AttributionJob(config, AttributesConfig(), store).drain(BASE_NS + 100 * NS_PER_S)
    told = VramJob(config, store).model(HOUR, "channel", NOW_NS)
    web, app = told["groups"]
    assert (web["name"], web["value_usd"], web["decisions"]) == ("web", 100.0, 40)
    assert (app["name"], app["value_usd"], app["decisions"]) == ("app", 1.0, 40)
    ratio = web["erv_usd_per_s"]["median"] / app["erv_usd_per_s"]["median"]
    assert ratio == pytest.approx(100, rel=1e-5)
    assert told["unknown"] == ["kiosk"]


def test_few_sales_are_sure_of_little_and_no_sale_is_sure_of_nothing(store: Connections) -> None:
    """Of 40 decisions each: one sale of $100 is sure of $5 of it, and none may have been three."""
    spans = []
    for index in range(40):
        for place, channel in enumerate(("one", "many", "none")):
            spans += decision(
                f"{channel}{index}", 1_000 * index + 300 * place, 180, decision__channel=channel
            )
    put_spans(store, spans)
    put_sales(store, ["one0", *(f"many{index}" for index in range(20))], "100")
    config = AttributionConfig()
    AttributionJob(config, AttributesConfig(), store).drain(BASE_NS + 100 * NS_PER_S)
    told = VramJob(config, store).compute(HOUR, "channel")
    found = {each["name"]: each for each in told["groups"]}
    earned = {
        name: [each["erv_usd_per_s"][end] * 60 for end in ("low", "median", "high")]
        for name, each in found.items()
    }
    # Garwood (1936): 0.0513 to 4.744 of one, 13.25 to 29.06 of twenty, 0 to 2.996 of none.
    assert earned["one"] == pytest.approx([5.13, 100, 474.4], rel=5e-3)
    assert earned["many"] == pytest.approx([1_325, 2_000, 2_906], rel=5e-3)
    assert earned["none"] == pytest.approx([0, 0, 299.6], rel=5e-3)
    assert [each["name"] for each in told["groups"]] == ["many", "one", "none"]
    assert found["none"]["marginal_usd_per_ms_hour"]["low"] == 0.0
    assert found["none"]["marginal_usd_per_ms_hour"]["high"] > 0


def test_group_that_states_values_is_worth_their_mean(store: Connections) -> None:
    """As long as it has earned nothing that is known; less what the 100 ms lose that are late."""
    put_spans(
        store,
        decision("a", 0, 180, decision__offer_type="card", decision__value_usd="3")
        + decision("b", 500, 180, decision__offer_type="card", decision__value_usd="4")
        + decision("c", 900, 180, decision__offer_type="loan"),
    )
    config = AttributionConfig()
    AttributionJob(config, AttributesConfig(), store).drain(BASE_NS + 100 * NS_PER_S)
    told = VramJob(config, store).model(HOUR, "offer_type", NOW_NS)
    assert [(each["name"], each["value_usd"]) for each in told["groups"]] == [("card", 3.4825)]
    assert told["unknown"] == ["loan"]


def test_small_groups_are_told_however_large_the_others_are(store: Connections) -> None:
    """Every group of known value has figures, and the number of its decisions in all."""
    names = [f"w{index:04d}" for index in range(SAMPLE_MAX + 200)]
    spans = []
    for index, name in enumerate(names):
        channel = f"small{index % 7}" if index < 7 else "web"
        spans += decision(name, 2 * index, 100, decision__channel=channel)
    put_spans(store, spans)
    put_sales(store, names, "10")
    config = AttributionConfig()
    AttributionJob(config, AttributesConfig(), store).drain(BASE_NS + 100 * NS_PER_S)
    told = VramJob(config, store).model(HOUR, "channel", NOW_NS)
    assert told["lineage"]["decisions"] == len(names)
    assert told["lineage"]["sampled"] < len(names)
    found = {each["name"]: (each["decisions"], each["sampled"]) for each in told["groups"]}
    assert found.pop("web")[0] == len(names) - 7
    assert found == {f"small{index}": (1, 1) for index in range(7)}
    assert (told["unknown"], told["unsampled"]) == ([], [])


def test_velocity_is_of_the_window_that_was_asked_about(store: Connections) -> None:
    """100 dollars each in the first 100 seconds and nothing in the next: never the mean of both.

    What was earned in a window over its length is a sum anybody can do again.
    """
    put_spans(
        store, [each for index in range(200) for each in decision(f"w{index}", 1_000 * index, 180)]
    )
    put_sales(store, [f"w{index}" for index in range(100)], "100", told_s=120)
    config = AttributionConfig()
    AttributionJob(config, AttributesConfig(), store).drain(BASE_NS + 300 * NS_PER_S)
    half_ns = BASE_NS + 100 * NS_PER_S
    for asked, decisions, usd in (
        (Selection(BASE_NS, half_ns), 100, 10_000.0),
        (Selection(half_ns, BASE_NS + 300 * NS_PER_S, low_ns=1), 100, 0.0),
        (HOUR, 200, 10_000.0),
    ):
        told = VramJob(config, store).compute(asked, "channel")
        assert told["lineage"]["decisions"] == decisions
        assert told["lineage"]["counted_s"] == float(decisions)
        if not usd:  # nothing is known of the amount of a sale there
            assert (told["groups"], told["unknown"]) == ([], [""])
            continue
        (one,) = told["groups"]
        assert (one["decisions"], one["earned_usd"]) == (decisions, usd)
        assert one["erv_usd_per_s"]["median"] * decisions == pytest.approx(usd, rel=1e-6)


def test_idle_time_moves_no_rate(vram: VramJob) -> None:
    """Asked again an hour later, nothing was earned and nothing lost: it is the same answer."""
    first = vram.compute(HOUR, "channel")
    later = vram.compute(Selection(HOUR.from_ns, HOUR.to_ns + 3600 * NS_PER_S), "channel")
    assert later["groups"] == first["groups"]
    assert later["lineage"]["counted_s"] == first["lineage"]["counted_s"] == 60.0


def test_year_is_stated_where_it_is_asked_for(vram: VramJob) -> None:
    """And then says of how little."""
    told = vram.compute(HOUR, "channel", annualise=True)
    assert "only 0.000694 days" in told["lineage"]["annualised"]
    app = told["groups"][0]
    hour, year = app["marginal_usd_per_ms_hour"], app["marginal_usd_per_ms_year"]
    assert year["median"] == pytest.approx(hour["median"] * 8766, rel=1e-5)
    assert told["weights"][0]["gain_usd_per_year"] > 0


def test_bursts_days_apart_are_no_year(store: Connections) -> None:
    """Ten decisions of two days say nothing of the six between them, nor of a year."""
    day_ms = 86_400_000
    spans = [
        each for index in range(10)
        for each in decision(f"w{index}", (8 * day_ms if index % 2 else 0) + 1_000 * index, 100)
    ]  # fmt: skip
    put_spans(store, spans)
    put_sales(store, [f"w{index}" for index in range(10)], "10", told_s=8 * 86_400 + 60)
    config = AttributionConfig()
    end_ns = BASE_NS + 8 * 86_400 * NS_PER_S + 60 * NS_PER_S
    AttributionJob(config, AttributesConfig(), store).drain(end_ns)
    told = VramJob(config, store).compute(Selection(BASE_NS, end_ns), "channel")
    assert told["lineage"]["annualised"].startswith("no figure of a year: 2 days of decisions, 7")
    assert told["groups"][0]["marginal_usd_per_ms_year"] is None


FIXTURES: dict[str, tuple[OutcomesConfig, int, int, int, str, str]] = {
    # outcomes, decisions, failed, sold, denominator, USD earned by hand
    "sales alone": (OutcomesConfig(), 100, 0, 30, "100", "300.00"),
    "sales, a fifth failed": (OutcomesConfig(), 100, 20, 30, "100", "300.00"),
    "all, and most sold nothing": (OutcomesConfig(complete="all"), 100, 0, 30, "100", "300.00"),
    "all, a fifth failed": (OutcomesConfig(complete="all"), 100, 20, 30, "100", "300.00"),
}  # fmt: skip


@pytest.mark.parametrize("name", FIXTURES)
@pytest.mark.parametrize("latency_ms", [50, 180])
def test_what_is_earned_is_the_velocity_to_the_cent(
    store: Connections, name: str, latency_ms: int
) -> None:
    """Whatever failed, however late all were, and in both modes of outcomes."""
    outcomes, count, failed, sold, known, usd = FIXTURES[name]
    spans = []
    for index in range(count):
        one = decision(f"d{index}", 1_000 * index, latency_ms, decision__channel="web")
        if index >= count - failed:
            one[0] = replace(one[0], status="Error")
        spans += one
    put_spans(store, spans)
    put_outcomes(
        store,
        [
            outcome(f"o{index}", decision_id=trace_id(f"d{index}"), converted=index < sold,
                    margin="10" if index < sold else None, event_s=index + 1.0, received_s=150)
            for index in range(count if outcomes.complete == "all" else sold)
        ],
    )  # fmt: skip
    # What is declared of another channel changes nothing.
    config = AttributionConfig().reading(outcomes, {"tv": ChannelConfig(complete="all")})
    AttributionJob(config, AttributesConfig(), store).drain(BASE_NS + 200 * NS_PER_S)
    told = VramJob(config, store).compute(HOUR, "channel")
    (web,) = told["groups"]
    counted_s = told["lineage"]["counted_s"]
    assert counted_s == 100.0
    assert (web["known"], f"{web['earned_usd']:.2f}") == (int(known), usd)
    assert f"{web['erv_usd_per_s']['median'] * counted_s:.2f}" == usd


def test_one_record_of_no_sale_moves_no_dollar(store: Connections) -> None:
    """300 decisions, 3 sales of 100 dollars; one `converted: false` made 92 times as much of it."""
    put_spans(
        store, [each for index in range(300) for each in decision(f"d{index}", 1_000 * index, 100)]
    )
    put_sales(store, [f"d{index}" for index in range(3)], "100")
    config = AttributionConfig()
    job = AttributionJob(config, AttributesConfig(), store)
    job.drain(BASE_NS + 400 * NS_PER_S)
    before = VramJob(config, store).compute(HOUR, "channel")["groups"]
    put_outcomes(
        store,
        [outcome("n", decision_id=trace_id("d9"), converted=False, event_s=20, received_s=401)],
    )
    job.drain(BASE_NS + 500 * NS_PER_S)
    assert VramJob(config, store).compute(HOUR, "channel")["groups"] == before
    assert before[0]["value_usd"] == 1.0


@pytest.mark.parametrize(
    ("complete", "told", "unsold", "warning"),
    [
        ("sales", 200, 5, ""),
        ("sales", 200, 60, "60 of 200 outcomes say that nothing was sold: if every decision gets"),
        ("all", 990, 700, ""),
        ("all", 400, 300, "600 of 1,000 decisions have no outcome yet"),
        ("all", 990, 0, "every one of 990 outcomes is a sale"),
    ],
)
def test_outcomes_that_contradict_their_mode_are_told_with_every_figure(
    complete: str, told: int, unsold: int, warning: str
) -> None:
    """A mode is declared, never guessed; data that speak against it are a warning."""
    value = GroupValue(
        "offer", "eu", "web", 1_000, 0, 1, 1_000, 1.0, 1.0, "margin", 0.1, 1_000, told, unsold
    )
    outcomes = OutcomesConfig.model_validate({"complete": complete})
    found = contradictions([value], AttributionConfig().reading(outcomes))
    assert [warning in each for each in found] == ([True] if warning else [])
