from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.core.times import NS_PER_DAY, NS_PER_S
from dashboard.pages.scope.chips import DIMENSIONS, chips, choices, way_to_decisions
from dashboard.read.rows import Attributed
from dashboard.read.scope import Scope, format_scope, parse_scope
from tests.conftest import NOW_NS

VALUES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Z")), max_size=12)
SCOPES = st.builds(
    lambda values, mode: parse_scope(
        format_scope(
            Scope(
                action=values["action"],
                region=values["region"],
                filters=tuple(
                    (name, values[name])
                    for name in ("channel", "service", "cohort", "segment")
                    if values[name]
                )
                + ((("mode", mode),) if mode else ()),
            )
        )
    ),
    st.fixed_dictionaries(dict.fromkeys(DIMENSIONS, VALUES)),
    VALUES,
)


def removals(scope: Scope, name: str = "decisions") -> list[str]:
    """Return where the chips of a scope lead."""
    return [
        part.href
        for chip in chips(name, scope, {})
        for part in chip._traverse()
        if getattr(part, "href", None)
    ]


def text_of(parts: list[Any]) -> str:
    """Return components as their JSON."""
    return json.dumps(parts, default=lambda each: each.to_plotly_json(), ensure_ascii=False)


def value_of(scope: Scope, name: str) -> str:
    """Return what a scope is narrowed to."""
    return str(getattr(scope, name)) if name in ("action", "region") else scope.filter(name)


@given(SCOPES)
def test_each_chip_removes_its_own_filter_and_nothing_else(scope: Scope) -> None:
    """One click, and the rest of the address stays."""
    narrowed = [name for name in DIMENSIONS if value_of(scope, name)]
    found = removals(scope)
    assert len(found) == len(narrowed)
    for name, href in zip(narrowed, found, strict=True):
        without = parse_scope(href)
        assert value_of(without, name) == ""
        others = [other for other in DIMENSIONS if other != name]
        assert [value_of(without, each) for each in others] == [
            value_of(scope, each) for each in others
        ]
        assert without.filter("mode") == scope.filter("mode")


@pytest.mark.parametrize("query", ["?high_ms=100", "?region=eu", "?cohort=new"])
def test_without_a_filter_a_list_begins_at_its_first_page(query: str) -> None:
    """On page 2 the chip of the latency led behind the slowest of those that it let in."""
    (href,) = removals(
        parse_scope(f"{query}&sort=slowest&after=latency~desc~47800000~1789999200000000000~d")
    )
    assert href == "?sort=slowest"


@pytest.mark.parametrize(
    ("page", "query", "said"),
    [
        ("decisions", "?region=mars", "no decision has it"),
        ("decisions", "?region=eu-west", ""),
        ("decisions", "?service=edge", ""),
        ("explore", "?segment=disk", "names no segment"),
        ("explore", "?segment=decision/store", ""),
        ("overview", "?service=edge", "not applied here: money and alerts are kept by"),
        ("alerts", "?cohort=new", "not applied here: an alert is of an action and a region"),
        ("overview", "?low_ms=120", "not applied here"),
        ("decisions", "?low_ms=120", ""),
    ],
)
def test_a_filter_that_does_nothing_says_why(page: str, query: str, said: str) -> None:
    """An empty page, or one that ignores its address, leaves a reader alone."""
    shown = chips(page, parse_scope(query), {"region": ["eu-west", "us-east"], "service": []})
    assert len(shown) == 1
    assert ("chip-why" in text_of(shown), said in text_of(shown)) == (bool(said), True)


def test_what_cannot_be_read_stands_beside_the_chips() -> None:
    """On every page that has a scope."""
    assert "'abc' is not a length of time" in text_of(
        chips("overview", parse_scope("?window=abc"), {})
    )
    assert chips("overview", parse_scope("?window=5m"), {}) == []


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("?low_ms=90", "latency: from 90 ms"),
        ("?high_ms=50.5", "latency: under 50.5 ms"),
        ("?low_ms=90&high_ms=120", "latency: 90 to 120 ms"),
    ],
)
def test_a_latency_that_a_cell_led_to_can_be_removed(query: str, said: str) -> None:
    """A click on the heatmap narrowed the list, and only the address could widen it again."""
    scope = parse_scope(query + "&region=eu")
    assert said in text_of(chips("decisions", scope, {}))
    assert removals(scope)[-1] == "?region=eu"


@pytest.mark.parametrize(
    ("page", "said"), [("explore", True), ("alerts", True), ("overview", False)]
)
def test_an_empty_store_leads_to_the_first_decision(page: str, said: bool) -> None:
    """The Overview says how to send it; the other pages said that nothing matches."""
    # The job of a running service has come as far as now, though there was nothing to attribute.
    for until_ns in (0, NOW_NS):
        found = way_to_decisions(page, Scope(), NOW_NS, Attributed(until_ns))
        assert ("how to send" in text_of(found)) == said


def test_range_behind_all_decisions_leads_to_the_newest() -> None:
    """Where nothing but old traces were imported every page said to widen the widest window."""
    newest_ns = NOW_NS - 9 * NS_PER_DAY - NS_PER_S // 2
    scope = parse_scope("?window=1h&region=eu")
    found = way_to_decisions("overview", scope, NOW_NS, Attributed(NOW_NS, newest_ns=newest_ns))
    said = "Every decision is older: the newest began 2033-05-09 03:33:19 UTC. "
    assert found.children[0] == said
    [link] = [each for each in found.children if hasattr(each, "href")]
    there = parse_scope(link.href)
    assert (there.window, there.region) == ("1h", "eu")
    assert there.until_ns is not None
    assert newest_ns < there.until_ns <= newest_ns + NS_PER_S
    for begun_ns in (NOW_NS - NS_PER_S, NOW_NS + NS_PER_S):
        assert way_to_decisions("x", scope, NOW_NS, Attributed(NOW_NS, newest_ns=begun_ns)) == ""


def test_values_are_offered_in_groups_under_their_dimension() -> None:
    """`web` of a channel is not `web` of a service."""
    groups = choices({"channel": ["web"], "cohort": [], "service": ["web"]})
    assert [group["group"] for group in groups] == ["Channel", "Service", "Segment"]
    assert groups[0]["items"] == [{"value": "channel=web", "label": "web"}]
