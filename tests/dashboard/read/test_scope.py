"""The URL is the state of a page."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from collector.core.times import NS_PER_MINUTE, NS_PER_MS, NS_PER_S, UNBOUNDED_NS
from dashboard.read.rows import Range
from dashboard.read.scope import (
    FILTERS,
    WINDOWS,
    Scope,
    format_scope,
    parse_scope,
    step_of,
)

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Z")), max_size=20)
SWITCHES = ("late", "failed")


@given(
    st.builds(
        Scope,
        window=st.sampled_from([*WINDOWS, "10s", "3d"]),
        until_ns=st.none() | st.integers(1, 2 * 10**12).map(lambda ms: ms * NS_PER_MS),
        action=NAMES,
        region=NAMES,
        decision_id=NAMES,
        search=NAMES,
        filters=st.sets(st.sampled_from(FILTERS)).flatmap(
            lambda names: st.tuples(
                *(
                    st.tuples(st.just(n), st.just("1") if n in SWITCHES else NAMES.filter(bool))
                    for n in FILTERS
                    if n in names
                )
            )
        ),
        low_ms=st.none() | st.integers(0, 10**5).map(float),
    )
)
def test_a_permalink_opens_what_it_was_made_of(scope: Scope) -> None:
    """A colleague sees the same page."""
    assert parse_scope(format_scope(scope, scope.filter("after"))) == scope


def test_another_list_begins_at_its_first_page() -> None:
    """Behind the end of a page of other decisions lie not the slowest or newest of these."""
    second = parse_scope(
        "?window=8s&sort=slowest&after=latency~desc~47800000~1789999200000000000~d-1"
    )
    for other in (second, replace(second, window="1h"), replace(second, low_ms=None, high_ms=9.0)):
        assert "after" not in format_scope(other)
    assert parse_scope(format_scope(second, "1~2~d-2")).filter("after") == "1~2~d-2"


@given(st.text(max_size=60))
def test_any_query_gives_a_page(query: str) -> None:
    """A mangled link shows the default, never an error."""
    scope = parse_scope(query)
    assert scope.window_ns > 0
    assert step_of(scope.window_ns) >= NS_PER_S


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("?window=abc", "window='abc' is not a length of time; 15m are shown"),
        ("?window=365d", "window='365d' is longer than 31 days; 15m are shown"),
        ("?window=31d", ""),
        ("?until=noon", "until='noon' is not an instant from 1970 to 2255; the newest"),
        ("?until=2300-01-01", "until='2300-01-01' is not an instant from 1970 to 2255; the newest"),
        ("?low_ms=fast", "low_ms='fast' is not a number"),
        ("?high_ms=-1", "high_ms='-1' is not a number"),
        ("?tz=Berlin", "tz='Berlin' is not a time zone; times are shown in UTC"),
        ("?tz=../../etc/passwd", "is not a time zone"),
        ("?foo=bar", "'foo' is not a part of an address; it is left out"),
        ("?window=5m&window=1h", "window is there 2 times; '5m' is taken"),
        ("?window=5m&window=5m", ""),
        ("?window=5m&until=2026-09-21T14:00Z&low_ms=1&tz=Europe/Berlin", ""),
        ("", ""),
    ],
)
def test_what_cannot_be_read_is_said(query: str, said: str) -> None:
    """A default in its place looks like the page that was sent."""
    faults = parse_scope(query).faults
    assert (len(faults), said in "".join(faults)) == (int(bool(said)), True)


@pytest.mark.parametrize("name", SWITCHES)
@pytest.mark.parametrize(
    "value", ["1", "true", "True", "on", "yes", "Y", "t", "0", "false", "NO", "n", "off", "f"]
)
def test_a_switch_of_an_address_is_read_as_the_api_reads_it(name: str, value: str) -> None:
    """With `late=0` a page listed the late ones alone, and the API all of them."""
    scope = parse_scope(f"?{name}={value}")
    assert bool(scope.filter(name)) is TypeAdapter(bool).validate_python(value)
    assert (scope.filter(name) or "1", scope.faults) == ("1", ())


@pytest.mark.parametrize(
    ("said", "order"),
    [("latency", "slowest"), ("time", ""), ("slowest", "slowest"), ("lost", "lost"), ("x", "x")],
)
def test_an_order_of_an_address_may_be_said_as_the_api_says_it(said: str, order: str) -> None:
    """`latency` of a command was "not an order" in the address of the page."""
    assert parse_scope(f"?sort={said}").filter("sort") == order


def test_a_switch_that_is_neither_on_nor_off_is_said() -> None:
    """The API refuses it; a page lists what it would without it."""
    scope = parse_scope("?late=perhaps&failed=")
    said = "late='perhaps' is neither true nor false; it is taken as false"
    assert (scope.filter("late"), scope.filter("failed"), scope.faults) == ("", "", (said,))


def test_a_live_page_ends_now_and_a_frozen_one_where_it_was_frozen() -> None:
    """An incident is discussed on figures that stand still."""
    now_ns = 1_790_000_000 * NS_PER_S
    assert Scope(window="5m").range_at(now_ns) == Range(now_ns - 5 * NS_PER_MINUTE, now_ns)
    frozen = parse_scope("?window=5m&until=2026-09-21T14:00:00.250Z&region=eu-west")
    assert frozen.range_at(now_ns).to_ns == 1_789_999_200 * NS_PER_S + 250 * NS_PER_MS
    assert frozen.range_at(now_ns).region == "eu-west"


@pytest.mark.parametrize("query", ["?window=0m", "?window=x", "?window=1h5m", "?until=soon"])
def test_what_cannot_be_read_is_left_at_its_default(query: str) -> None:
    """A typing error in the address bar is no reason for an empty page."""
    assert parse_scope(query) == Scope()


@pytest.mark.parametrize(
    ("window", "seconds"), [("5m", 5), ("15m", 10), ("1h", 60), ("6h", 300), ("24h", 900)]
)
def test_a_heatmap_has_at_most_a_hundred_columns(window: str, seconds: int) -> None:
    """More are narrower than the eye tells apart; under a minute the decisions are read."""
    assert step_of(Scope(window=window).window_ns) == seconds * NS_PER_S


def test_a_list_without_bounds_takes_every_latency() -> None:
    """The upper bound is beyond any latency."""
    assert Scope().latency_ns == (0, UNBOUNDED_NS)
    assert Scope(low_ms=1.5, high_ms=2).latency_ns == (1_500_000, 2_000_000)
