from __future__ import annotations

import math
from typing import Any

import pytest

from attribution.answers import Selection
from attribution.config import AttributionConfig
from attribution.job import AttributionJob
from attribution.vram import SECONDS_A_YEAR
from attribution.vram_job import VramJob
from attribution.vram_model import content_hash, differences
from collector.clock import NS_PER_S
from collector.config import AttributesConfig
from collector.errors import InputError
from collector.store.connect import Connections
from tests.attribution.stored import BASE_NS, decision, put_sales, put_spans

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
