from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from collector.core.errors import InputError
from collector.core.times import NS_PER_MS, NS_PER_S, UNBOUNDED_NS
from dashboard.api.evidence.decisions import FilterQuery
from dashboard.api.vram.questions import Chosen
from dashboard.pages.scope.typed_range import typed_range
from dashboard.read.decisions.brush import (
    Brush,
    as_typed,
    format_between,
    format_latency,
    parse_between,
    parse_brush,
    parse_latency,
    sides,
)
from dashboard.read.decisions.filter import DecisionFilter
from dashboard.read.rows import Range
from dashboard.read.scope import Scope, format_scope, parse_scope, window_length_ns
from dashboard.units import Zone
from tests.conftest import NOW_NS

MILLISECONDS = st.one_of(st.none(), st.integers(0, 10**9 - 1).map(lambda ms: ms / 1000))


@given(low=MILLISECONDS, high=MILLISECONDS)
def test_latencies_of_an_address_are_read_as_they_were_written(
    low: float | None, high: float | None
) -> None:
    """A link that is opened brushes the box that was sent."""
    if low is not None and high is not None and low >= high:
        low, high = None, low
    assert parse_latency(format_latency(low, high)) == (low, high)


@given(low_ns=st.integers(0, 10**12), length_ns=st.integers(1, 10**10))
@example(low_ns=8_200_000, length_ns=100_001)
@example(low_ns=1_234_567_800, length_ns=1_000)
def test_a_box_and_the_list_of_it_have_the_same_bounds(low_ns: int, length_ns: int) -> None:
    """Explore counts what the list that it leads to shows, to the nanosecond, over the API too."""
    low_ms, high_ms = low_ns / NS_PER_MS, (low_ns + length_ns) / NS_PER_MS
    brush = parse_brush("", format_latency(low_ms, high_ms))
    bounds = low_ns, low_ns + length_ns
    assert brush.latency_ns == bounds
    linked = parse_scope(format_scope(Scope(low_ms=brush.low_ms, high_ms=brush.high_ms)))
    assert linked.latency_ns == bounds
    query = FilterQuery(low_ms=low_ms, high_ms=high_ms).criteria(NOW_NS)
    assert (query.low_ns, query.high_ns) == bounds
    chosen = Chosen(low_ms=low_ms, high_ms=high_ms).selection(NOW_NS)
    assert (chosen.low_ns, chosen.high_ns) == bounds


@given(from_ms=st.integers(0, 4_000_000_000_000), length_ms=st.integers(1, 86_400_000))
def test_times_of_an_address_are_read_as_they_were_written(from_ms: int, length_ms: int) -> None:
    """To the millisecond, for any instant."""
    ends = from_ms * NS_PER_MS, (from_ms + length_ms) * NS_PER_MS
    assert parse_between("brush", format_between(*ends)) == ends


@given(
    # Any, and those of the night on which the clocks of Berlin showed an hour twice.
    from_ms=st.integers(10**12, 2 * 10**12) | st.integers(1_792_879_200_000, 1_792_900_800_000),
    length_ms=st.integers(1, 90_000_000),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe"]).map(Zone),
)
def test_a_range_is_shown_as_people_type_it(from_ms: int, length_ms: int, zone: Zone) -> None:
    """What stands in a field can be sent again with Enter, and is the same range."""
    ends = from_ms * NS_PER_MS, (from_ms + length_ms) * NS_PER_MS
    window, until_ns = typed_range(as_typed(format_between(*ends), zone), 3 * 10**18, zone)
    assert (until_ns, window_length_ns(window)) == (ends[1], ends[1] - ends[0])


@given(time=st.text(max_size=40), latency=st.text(max_size=40))
def test_any_text_is_a_box_or_refused(time: str, latency: str) -> None:
    """Somebody cuts an address short, or writes it by hand."""
    try:
        found = parse_brush(time, latency)
    except InputError:
        return
    low, high = found.latency_ns
    assert 0 <= low < high
    assert (found.from_ns is None) == (found.to_ns is None)


@pytest.mark.parametrize(
    ("text", "latency"),
    [
        ("120..900", (120.0, 900.0)),
        (" >= 80 ms", (80.0, None)),
        (">80", (80.0, None)),
        ("<50", (None, 50.0)),
        ("80..", (80.0, None)),
        ("..50", (None, 50.0)),
        ("1.5-2.5", (1.5, 2.5)),
        ("", (None, None)),
    ],
)
def test_people_type_latencies_in_several_ways(
    text: str, latency: tuple[float | None, float | None]
) -> None:
    """Each of them means one thing."""
    assert parse_latency(text) == latency


@pytest.mark.parametrize("text", ["slow", "..", "900..120", "-5..9", "1e3..2e3", "5..5"])
def test_latencies_that_are_none_are_refused_with_the_forms(text: str) -> None:
    """A default in its place would be another box than the one that was meant."""
    with pytest.raises(InputError, match=r"give 120\.\.900"):
        parse_latency(text)


def test_the_rest_is_the_scope_without_the_box() -> None:
    """Both sides are narrowed alike; the bounds of the page narrow the box too."""
    criteria = DecisionFilter(
        Range(10 * NS_PER_S, 20 * NS_PER_S, "offer", "eu"),
        channel="web",
        segment="decision/store",
        low_ns=5 * NS_PER_MS,
    )
    before, inside, is_rest = sides(criteria, Brush(12 * NS_PER_S, 13 * NS_PER_S, 2.0, None), None)
    assert is_rest
    assert (before.of.from_ns, before.of.to_ns) == (10 * NS_PER_S, 20 * NS_PER_S)
    assert (inside.of.from_ns, inside.of.to_ns) == (12 * NS_PER_S, 13 * NS_PER_S)
    assert (inside.of.low_ns, inside.of.high_ns) == (5 * NS_PER_MS, UNBOUNDED_NS)
    assert (before.channel, inside.channel, inside.places) == ("web", "web", (11,))


def test_a_baseline_is_another_range_of_the_same_scope() -> None:
    """All of its decisions, whatever they took: slow ones now against an hour that was well."""
    criteria = DecisionFilter(Range(10 * NS_PER_S, 20 * NS_PER_S, region="eu"))
    before, inside, is_rest = sides(criteria, Brush(low_ms=80.0), (1, NS_PER_S))
    assert not is_rest
    assert (before.of.from_ns, before.of.to_ns, before.of.low_ns) == (1, NS_PER_S, 0)
    assert (before.of.region, inside.of.low_ns) == ("eu", 80 * NS_PER_MS)
