from __future__ import annotations

import math
from typing import Any

import pytest

from attribution.core.config import AttributionConfig
from attribution.core.selection import Selection
from attribution.jobs.attribution import AttributionJob
from attribution.vram.document import content_hash, differences
from attribution.vram.job import SAMPLE_MAX, VramJob
from attribution.vram.ranking import SECONDS_A_YEAR
from collector.core.clock import NS_PER_S
from collector.core.config import AttributesConfig
from collector.core.errors import InputError
from collector.store.connect import Connections
from tests.support.attribution.stored import BASE_NS, decision, put_sales, put_spans

HOUR = Selection(BASE_NS, BASE_NS + 3600 * NS_PER_S)
NOW_NS = BASE_NS + 7200 * NS_PER_S


@pytest.fixture
def vram(store: Connections) -> VramJob:
    """Return the job over 36 web and 36 app decisions; those of the region mars have no value."""
    spans = []
    for at in range(36):
        channel = "web" if at % 2 else "app"
        spans += decision(f"a{at}", 1_000 * at, 100, decision__channel=channel)
        spans += decision(f"b{at}", 1_000 * at, 180, decision__channel=channel)
    spans += decision("m", 0, 100, decision__channel="kiosk", decision__region="mars")
    put_spans(store, spans)
    put_sales(store, [f"{each}{at}" for each in "ab" for at in range(36)], "10")
    config = AttributionConfig()
    AttributionJob(config, AttributesConfig(), store).drain(BASE_NS + 100 * NS_PER_S)
    return VramJob(config, store)


def test_model_values_groups_by_what_their_decisions_are_worth(vram: VramJob) -> None:
    """36 decisions an hour of ten dollars each; half of them 20 ms late, half 100 ms."""
    told = vram.model(HOUR, "channel", NOW_NS)
    assert told["lineage"]["decisions"] == 73
    assert told["unknown"] == ["kiosk"]
    assert [each["name"] for each in told["groups"]] == ["app", "web"]
    beta = -math.log1p(-0.005) / 100
    late = (math.exp(-20 * beta) + math.exp(-100 * beta)) / 2
    erv = 36 / 3600 * 10 * late
    app = told["groups"][0]
    assert app["erv_usd_per_s"]["median"] == pytest.approx(erv, rel=1e-5)
    per_ms = app["marginal_usd_per_ms_year"]
    assert per_ms["median"] == pytest.approx(beta * erv * SECONDS_A_YEAR, rel=1e-5)
    assert per_ms["low"] < per_ms["median"] < per_ms["high"]
    assert {point["shift_ms"] for point in app["curve"]} >= {-50, 0, 200}
    assert sum(each["weight"] for each in told["weights"]) == pytest.approx(1.0)
    assert told["lineage"]["slope"].startswith("article prior")
    assert told["lineage"]["slope_version"] == 0


def test_equal_model_keeps_its_version_and_another_gets_the_next(vram: VramJob) -> None:
    """What was told can be found again; asking twice makes no second version."""
    first = vram.model(HOUR, "channel", NOW_NS)
    again = vram.model(HOUR, "channel", NOW_NS + NS_PER_S)
    other = vram.model(Selection(HOUR.from_ns, HOUR.from_ns + 10 * NS_PER_S), "channel", NOW_NS)
    assert (first["version"], again["version"], other["version"]) == (1, 1, 2)
    assert again == first == vram.stored(1)
    changes = differences(first, other)
    assert {(each["kind"], each["name"]) for each in changes} >= {
        ("group", "app"), ("group", "web"), ("lineage", "decisions"),
    }  # fmt: skip
    sizes = [abs(each["after"] - each["before"]) for each in changes if each["kind"] == "group"]
    assert sizes == sorted(sizes, reverse=True)
    assert differences(first, first) == []
    with pytest.raises(InputError, match="no VRAM model 9; versions: 1, 2"):
        vram.stored(9)


def test_dimension_that_is_none_is_refused(vram: VramJob) -> None:
    """With those there are."""
    with pytest.raises(InputError, match="'team' is no dimension; choose channel, region"):
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
    for at in range(40):
        for place, channel in enumerate(("web", "app", "kiosk")):
            start_ms = 1_000 * at + 300 * place
            spans += decision(f"{channel}{at}", start_ms, 180, decision__channel=channel)
    put_spans(store, spans)
    put_sales(store, [f"web{at}" for at in range(40)], "100")
    put_sales(store, [f"app{at}" for at in range(20)], "2")
    config = AttributionConfig()
    AttributionJob(config, AttributesConfig(), store).drain(BASE_NS + 100 * NS_PER_S)
    told = VramJob(config, store).model(HOUR, "channel", NOW_NS)
    web, app = told["groups"]
    assert (web["name"], web["value_usd"], web["decisions"]) == ("web", 100.0, 40)
    assert (app["name"], app["value_usd"], app["decisions"]) == ("app", 1.0, 40)
    ratio = web["erv_usd_per_s"]["median"] / app["erv_usd_per_s"]["median"]
    assert ratio == pytest.approx(100, rel=1e-5)
    assert told["unknown"] == ["kiosk"]


def test_group_that_states_values_is_worth_their_mean(store: Connections) -> None:
    """As long as it has earned nothing that is known."""
    put_spans(
        store,
        decision("a", 0, 180, decision__offer_type="card", decision__value_usd="3")
        + decision("b", 500, 180, decision__offer_type="card", decision__value_usd="4")
        + decision("c", 900, 180, decision__offer_type="loan"),
    )
    config = AttributionConfig()
    AttributionJob(config, AttributesConfig(), store).drain(BASE_NS + 100 * NS_PER_S)
    told = VramJob(config, store).model(HOUR, "offer_type", NOW_NS)
    assert [(each["name"], each["value_usd"]) for each in told["groups"]] == [("card", 3.5)]
    assert told["unknown"] == ["loan"]


def test_small_groups_are_told_however_large_the_others_are(store: Connections) -> None:
    """Every group of known value has figures, and the number of its decisions in all."""
    names = [f"w{at:04d}" for at in range(SAMPLE_MAX + 200)]
    spans = []
    for at, name in enumerate(names):
        channel = f"small{at % 7}" if at < 7 else "web"
        spans += decision(name, 2 * at, 100, decision__channel=channel)
    put_spans(store, spans)
    put_sales(store, names, "10")
    config = AttributionConfig()
    AttributionJob(config, AttributesConfig(), store).drain(BASE_NS + 100 * NS_PER_S)
    told = VramJob(config, store).model(HOUR, "channel", NOW_NS)
    assert told["lineage"]["decisions"] == len(names)
    assert told["lineage"]["sampled"] < len(names)
    found = {each["name"]: (each["decisions"], each["sampled"]) for each in told["groups"]}
    assert found.pop("web")[0] == len(names) - 7
    assert found == {f"small{at}": (1, 1) for at in range(7)}
    assert (told["unknown"], told["unsampled"]) == ([], [])


def test_one_decision_says_little_of_the_rate_of_its_group(store: Connections) -> None:
    """Its value rests on forty sales, its rate on itself alone: the interval is that of one."""
    put_spans(store, [each for at in range(40) for each in decision(f"w{at}", 1_000 * at, 180)])
    put_sales(store, [f"w{at}" for at in range(40)], "100")
    config = AttributionConfig()
    AttributionJob(config, AttributesConfig(), store).drain(BASE_NS + 100 * NS_PER_S)
    begun_ns = BASE_NS + 20 * NS_PER_S
    told = VramJob(config, store).model(Selection(begun_ns, begun_ns + 1), "channel", NOW_NS)
    (one,) = told["groups"]
    assert (one["decisions"], one["value_usd"]) == (1, 100.0)
    assert one["erv_usd_per_s"]["high"] > 3 * one["erv_usd_per_s"]["median"]
