"""The first page: what is at risk now, and the path that the risk comes from."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from alerts.config import AlertsConfig
from alerts.state.sqlite import AlertStore
from collector.core.times import NS_PER_DAY, NS_PER_HOUR, NS_PER_S
from collector.store.connect import Connections
from dashboard.pages.context import PageContext
from dashboard.pages.overview import heat, path
from dashboard.pages.overview import page as overview
from dashboard.pages.overview.top import from_json, to_json
from dashboard.read.reader import Reader
from dashboard.read.rows import Range
from dashboard.read.scope import parse_scope
from dashboard.units import Zone
from tests.support.alerts.builders import rule
from tests.support.dashboard.app import page_context
from tests.support.dashboard.seed import TODAY_NS, Seed, rollup_minutes


@pytest.fixture
def context(reader: Reader) -> Iterator[PageContext]:
    """Return what pages are given, over the shared store."""
    with page_context(reader) as context:
        yield context


def text_of(component: Any) -> str:  # noqa: ANN401  a Dash component
    """Return a component as its JSON, to look for words in."""
    return json.dumps(component, default=lambda part: part.to_plotly_json(), ensure_ascii=False)


def shown_of(context: PageContext, query: str = "", picked: str = "") -> dict[str, Any]:
    """Return all three readings of the page, as a browser has them one after the other."""
    scope = parse_scope(query)
    money = overview.read(context, query)
    top = from_json(json.loads(json.dumps(to_json(money.top))))
    assert top == money.top, "a browser keeps instants to the nanosecond"
    shown = overview.show(money, context.prior_basis)
    shown |= path.show(path.read(context, scope, top, picked))
    return shown | dict(heat.show(heat.read(context, scope, top)))


def test_overview_says_what_the_store_holds(context: PageContext) -> None:
    """Figures, their uncertainty, their basis, over what time, and the label of what is a prior."""
    shown = shown_of(context)
    assert set(shown) == {*overview.MONEY, *path.OUTPUTS, *heat.OUTPUTS}
    assert shown["overview-now-value.children"] == "$15.00 / h"
    now = text_of(shown["overview-now-note.children"])
    assert "90 %: $3.75 to $45.00, newest 5 min at most · 1 firing" in now
    assert shown["overview-lost-value.children"] in ("$0.25", "unknown")  # midnight was just now
    assert shown["overview-late-value.children"] == "33.3 %"
    assert shown["overview-late-note.children"] == "5 of 15 over their target in 15m"
    assert shown["overview-velocity-note.children"] == "basis margin · over 60 s"
    assert "p95" in shown["overview-latency-note.children"]
    assert "over 15m" in shown["overview-latency-note.children"]
    assert shown["overview-evidence-value.children"] == "no packets"
    assert shown["overview-path-said.children"] == (
        "Over 5 decisions since its loss began: mean 111.0 ms against 59.0 ms; "
        "decision/store is slower by 52.0 ms than normal."
    )


@pytest.mark.parametrize(
    ("first_s", "drawn_s"),
    [
        pytest.param(0, 1_000, id="nothing happened"),
        pytest.param(1_100, 1_000, id="decisions from the start on"),
        pytest.param(1_700, 1_700, id="up for a part of the window"),
        pytest.param(1_899, 1_840, id="never narrower than a minute"),
    ],
)
def test_heatmap_begins_where_its_decisions_do(first_s: int, drawn_s: int) -> None:
    """A minute of data in a window of fifteen is a sliver at its edge."""
    seen = Range(1_000 * NS_PER_S, 1_900 * NS_PER_S)
    assert heat.drawn_from(seen, first_s * NS_PER_S) == drawn_s * NS_PER_S


def test_heatmap_that_is_cut_says_so_and_marks_alerts(context: PageContext) -> None:
    """Otherwise the axis seems to show the window that the picker names."""
    shown = shown_of(context)
    assert "None before" in str(shown["overview-heatmap-note.children"])
    assert "Bands: alerts fire." in str(shown["overview-heatmap-note.children"])
    shapes = shown["overview-heatmap.figure"]["layout"]["shapes"]
    assert [shape["type"] for shape in shapes] == ["line", "rect"]
    assert "store slower by 40 ms" in shapes[1]["name"]
    elsewhere = shown_of(context, "?region=us-east")["overview-heatmap.figure"]
    assert [shape["type"] for shape in elsewhere["layout"]["shapes"]] == ["line"]


def test_heatmap_of_several_days_names_the_day_of_each_row(
    context: PageContext, own_world: Connections
) -> None:
    """Five rows were called `12:00:00`, and one of them had the slow ones."""
    seed, old_ns = Seed(random.Random(0)), TODAY_NS - 3 * NS_PER_DAY
    seed.decision(old_ns, 900)
    seed.cell(old_ns - old_ns % NS_PER_S, decisions=1, late=0)
    seed.insert(own_world.client())
    rollup_minutes(own_world.client())
    shown = shown_of(dataclasses.replace(context, reader=Reader(own_world)), "?window=7d")
    zone, column_ns = Zone(), old_ns - old_ns % NS_PER_HOUR
    assert zone.second(column_ns) in text_of(shown["overview-heatmap-table.children"])
    begin = zone.second(TODAY_NS - 7 * NS_PER_DAY)
    end = zone.at(TODAY_NS)
    assert f"from {begin} to {end}" in str(shown["overview-heatmap-box.aria-label"])
    assert f"None before {zone.second(old_ns)}" in str(shown["overview-heatmap-note.children"])
    hover = shown["overview-heatmap.figure"]["data"][0]["hovertemplate"]
    assert "%{x|%Y-%m-%d %H:%M:%S} UTC" in hover


def test_alerts_and_their_dollars_are_of_the_class_that_is_chosen(
    context: PageContext, own_world: Connections
) -> None:
    """Beside `Lost today` of one region stood what all of them risk."""
    seed = Seed(random.Random(0))
    at_ns = TODAY_NS - 19 * NS_PER_S
    for name, region in (("other", "us-east"), ("wide", "*")):
        seed.alert(at_ns, 1, "firing", episode_id=name, region=region, rule=name)
    seed.insert(own_world.client())
    context = dataclasses.replace(context, reader=Reader(own_world))
    for query, rules in (
        ("", ["checkout-burn", "other", "wide"]),
        ("?region=us-east", ["other", "wide"]),
        ("?action=nobody", []),
    ):
        found = overview.read(context, query)
        assert sorted(alert.rule for alert in found.alerts) == rules, query
        shown = overview.show(found, "")
        assert len(shown["overview-alerts.rowData"]) == len(rules)  # type: ignore[arg-type]  # rows


def test_class_that_was_well_and_went_quiet_is_no_risk(
    context: PageContext, own_world: Connections
) -> None:
    """One decision of an odd action, and the sentence of the page was `unknown` for a day."""
    seed = Seed(random.Random(0))
    at_ns = TODAY_NS - 19 * NS_PER_S
    seed.alert(at_ns, 9, "resolved")
    seed.alert(at_ns, 1, "unknown", episode_id="odd", action="odd", started_ns=0)
    seed.insert(own_world.client())
    context = dataclasses.replace(context, reader=Reader(own_world))
    assert shown_of(context)["overview-now-value.children"] == "nothing"
    seed = Seed(random.Random(0))
    seed.alert(at_ns, 2, "unknown", episode_id="fired", action="odd", started_ns=at_ns)
    seed.insert(own_world.client())
    assert shown_of(context)["overview-now-value.children"] == "unknown"


def test_where_no_rule_watches_nothing_is_said_to_be_well(
    context: PageContext, own_world: Connections, tmp_path: Path
) -> None:
    """`nothing` stood in the largest type of a new service that nobody had given a rule."""
    state = AlertStore(tmp_path / "alerts.sqlite")
    config = AlertsConfig(rules=(rule(),))
    reader = Reader(own_world)
    seed = Seed(random.Random(0))
    seed.alert(TODAY_NS - 19 * NS_PER_S, 9, "resolved")
    seed.insert(own_world.client())
    watched, unwatched = (
        shown_of(dataclasses.replace(context, reader=reader, alert_state=state, alerts=alerts))
        for alerts in (config, AlertsConfig())
    )
    state.close()
    assert watched["overview-now-value.children"] == "nothing"
    assert unwatched["overview-now-value.children"] == "unknown"
    assert "no rule watches: add [[alerts.rules]]" in unwatched["overview-now-note.children"]


def test_bands_that_overlap_are_one(context: PageContext, own_world: Connections) -> None:
    """Ten alerts over each other made the cells under them unreadable."""
    seed = Seed(random.Random(0))
    for number in range(10):
        at_ns = TODAY_NS - (19 - number) * NS_PER_S
        seed.alert(at_ns, 1, "firing", episode_id=f"e{number}", is_shadow=number == 9)
    seed.insert(own_world.client())
    context = dataclasses.replace(context, reader=Reader(own_world))
    top = overview.read(context, "").top
    seen = Range(TODAY_NS - 900 * NS_PER_S, TODAY_NS)
    (band,) = heat.bands(top, seen, seen.from_ns)
    assert (band.from_ns, band.to_ns) == (TODAY_NS - 20 * NS_PER_S, TODAY_NS)


def test_silence_is_unknown_not_zero(context: PageContext) -> None:
    """A window without decisions must not read as a healthy one."""
    shown = shown_of(context, "?until=2020-01-01T00:00:00Z")
    for card in ("now", "lost", "latency", "late", "velocity"):
        assert shown[f"overview-{card}-value.children"] == "unknown"
    assert "No decision in this window" in text_of(shown["overview-heatmap.figure"])
    assert "$0" not in text_of(shown)


def test_alert_that_cannot_be_judged_is_in_no_sum(
    context: PageContext, own_world: Connections
) -> None:
    """Data that stopped said `$0.00` beside a page, which sent people back to bed."""
    seed = Seed(random.Random(0))
    seed.alert(TODAY_NS - NS_PER_S, 3, "unknown")
    seed.insert(own_world.client())
    shown = shown_of(dataclasses.replace(context, reader=Reader(own_world)))
    assert shown["overview-now-value.children"] == "unknown"
    assert "0 firing, 1 unknown" in text_of(shown["overview-now-note.children"])
    assert shown["overview-alerts.rowData"][0]["at_risk"] == "unknown"


def test_path_follows_the_dearest_open_alert_until_a_picker_says_otherwise(
    context: PageContext,
) -> None:
    """An incident of one region drowns in the mean over all of them."""
    top = overview.read(context, "").top
    scope = parse_scope("")
    of = path.read(context, scope, top).path_of
    assert of == Range(TODAY_NS - 50 * NS_PER_S, TODAY_NS, "offer.select", "eu-west")
    picked = parse_scope("?region=us-east")
    found = path.read(context, picked, top)
    assert (found.path_of.region, found.of_alert) == ("us-east", None)
    assert "since" not in str(path.show(found)["overview-path-said.children"])
    quiet = dataclasses.replace(top, alerts=())
    assert path.read(context, scope, quiet).path_of == scope.range_at(TODAY_NS)


def test_normal_is_read_once_a_minute(context: PageContext) -> None:
    """It is of a day of decisions, and was read at each refresh and each row."""
    top, scope = overview.read(context, "").top, parse_scope("?region=us-east")
    before = path.read(context, scope, top).reference
    assert before is not None
    kept = dataclasses.replace(before, total_ns=1.0)
    context.normal[next(iter(context.normal))] = kept
    assert path.read(context, scope, top).reference == kept
    for minute in range(34):
        at_ns = top.to_ns + minute * 60 * NS_PER_S
        path.read(context, scope, dataclasses.replace(top, to_ns=at_ns))
    assert len(context.normal) <= 32


def test_row_that_is_pointed_at_has_its_own_path(
    context: PageContext, own_world: Connections
) -> None:
    """Which of ten incidents is the one with the store? One looks, and need not open each."""
    seed = Seed(random.Random(0))
    seed.alert(TODAY_NS - 9 * NS_PER_S, 1, "firing", episode_id="east", region="us-east")
    seed.alert(TODAY_NS - 5 * NS_PER_S, 2, "resolved", episode_id="east", region="us-east")
    seed.insert(own_world.client())
    context = dataclasses.replace(context, reader=Reader(own_world))
    top, scope = overview.read(context, "").top, parse_scope("?region=eu-west")
    found = path.read(context, scope, top, "east", is_pinned=True)
    assert (found.path_of.region, found.path_of.to_ns) == ("us-east", TODAY_NS - 5 * NS_PER_S)
    note = str(path.show(found)["overview-path-note.children"])
    assert "offer.select · us-east · pinned" in note
    assert "in a sample" not in note
    assert found.reference is not None
    sampled = dataclasses.replace(found.reference, sample=(500_000, 2_400_000))
    note = str(path.show(dataclasses.replace(found, reference=sampled))[path.OUTPUTS[-1]])
    assert "on target in 24 h · in a sample of 500,000 of 2,400,000 dec" in note
    assert path.read(context, scope, top, "gone").path_of.region == "eu-west"


def test_loss_of_a_decision_is_of_those_whose_value_is_known(context: PageContext) -> None:
    """Half of unknown value halved what each of the others lost."""
    top = overview.read(context, "").top
    found = path.read(context, parse_scope("?region=us-east"), top)
    assert found.lost is not None
    for decisions, words in ((4, "loses $0.50 a decision ·"), (8, "loses $0.50 a decision of kno")):
        lost = dataclasses.replace(
            found.lost, decisions=decisions, unvalued=decisions - 4, loss_usd=Decimal(2)
        )
        note = str(path.show(dataclasses.replace(found, lost=lost))["overview-path-note.children"])
        assert words in note


def test_path_does_not_say_that_lateness_of_unknown_cost_loses_nothing(
    context: PageContext,
) -> None:
    """It said $0.00 a decision, all of them late, after an experiment contradicted the slope."""
    top = overview.read(context, "").top
    found = path.read(context, parse_scope("?region=us-east"), top)
    assert found.lost is not None
    for usd, words in ((0, "· what lateness costs is unknown ·"), (9, "without lateness of unkn")):
        lost = dataclasses.replace(
            found.lost, slope_sources=frozenset({"unknown"}), loss_usd=Decimal(usd)
        )
        note = str(path.show(dataclasses.replace(found, lost=lost))["overview-path-note.children"])
        assert words in note
        assert "$0.00" not in note
