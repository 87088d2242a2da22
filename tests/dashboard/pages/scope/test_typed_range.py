from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.core.errors import InputError
from collector.core.times import NS_PER_S, instant_ns
from dashboard.pages.scope.typed_range import length_text, typed_range
from dashboard.read.scope import WINDOW_MAX_NS, Scope
from dashboard.units import Zone
from tests.support.examples import examples

NOW_NS = instant_ns("2026-11-27T12:30:00Z", "now")


@pytest.mark.parametrize(
    ("text", "window", "until"),
    [
        ("15m", "15m", ""),
        (" last 90m ", "90m", ""),
        ("now-2h", "2h", ""),
        ("10:00..10:05", "5m", "2026-11-27T10:05:00"),
        ("10:00 to 10:05", "5m", "2026-11-27T10:05:00"),
        ("10:00 - 10:05:30.5", "330.500s", "2026-11-27T10:05:30.5"),
        ("10:00\u201310:05", "5m", "2026-11-27T10:05:00"),
        # Later than now, so of the day before; over midnight, into the next.
        ("14:00..14:30", "30m", "2026-11-26T14:30:00"),
        ("23:50..00:10", "20m", "2026-11-27T00:10:00"),
        ("2026-11-20 10:00..10:05", "5m", "2026-11-20T10:05:00"),
        ("2026-11-20T10:00Z..2026-11-20T12:00+01:00", "1h", "2026-11-20T11:00:00"),
        ("2026-11-20", "1d", "2026-11-21T00:00:00"),
        ("2026-11-20..2026-11-21", "2d", "2026-11-22T00:00:00"),
        ("now-2h..now-1h", "1h", "2026-11-27T11:30:00"),
        ("12:00..now", "30m", "2026-11-27T12:30:00"),
    ],
)
def test_range_is_what_people_mean(text: str, window: str, until: str) -> None:
    """An incident is spoken of as `10:00 to 10:05`."""
    until_ns = instant_ns(until, "until") if until else None
    assert typed_range(text, NOW_NS, Zone()) == (window, until_ns)
    assert Scope(window=window).window_ns > 0, "what a URL can hold"


@pytest.mark.parametrize(
    ("text", "window", "until"),
    [
        # Now is 13:30 in Berlin.
        ("13:00..13:05", "5m", "2026-11-27T12:05:00"),
        ("14:00..14:30", "30m", "2026-11-26T13:30:00"),
        ("now-2h..now-1h", "1h", "2026-11-27T11:30:00"),
        ("2026-11-20 10:00..10:05", "5m", "2026-11-20T09:05:00"),
        ("2026-11-20T10:00Z..2026-11-20T12:00+01:00", "1h", "2026-11-20T11:00:00"),
        ("2026-11-20", "1d", "2026-11-20T23:00:00"),
        # Clocks were set back in that night, and forward in this.
        ("2026-10-25", "25h", "2026-10-25T23:00:00"),
        ("2026-03-29", "23h", "2026-03-29T22:00:00"),
        ("2026-10-24 23:30..04:00", "330m", "2026-10-25T03:00:00"),
        ("2026-10-01..2026-10-31", "745h", "2026-10-31T23:00:00"),
    ],
)
def test_range_is_by_the_clock_that_the_page_is_read_by(text: str, window: str, until: str) -> None:
    """What has an offset means the same everywhere; a day is as long as it is there."""
    found = typed_range(text, NOW_NS, Zone("Europe/Berlin"))
    assert found == (window, instant_ns(until, "until"))


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("yesterday", "is not a range of time"),
        ("10:00..25:00", "is not a range of time"),
        ("10:00..10:05..10:10", "is not a range of time"),
        ("10:00..10:00", "ends before it begins"),
        ("10:05..10:00", "ends before it begins"),
        ("2026-11-27 10:05..10:00", "ends before it begins"),
        ("2026-11-20 10:00..2026-11-19 10:00", "ends before it begins"),
        ("2026-01-01..2026-11-20", "longer than 31 days"),
        ("365d", "longer than 31 days"),
        ("last 746h", "longer than 31 days"),
        ("now-32d", "longer than 31 days"),
        ("0s", "is not a range of time"),
        ("1969-12-31", "is not a range of time"),
        ("9999-12-31", "is not a range of time"),
    ],
)
def test_what_is_no_range_says_how_one_is_typed(text: str, remedy: str) -> None:
    """The value and the remedy, beside the field."""
    with pytest.raises(InputError, match=remedy):
        typed_range(text, NOW_NS, Zone())


@given(st.text(max_size=40) | st.from_regex(r"[0-9:. now-]{1,30}(\.\.|to)[0-9:. now-]{1,30}"))
@settings(max_examples=examples(300))
def test_any_text_is_a_range_or_an_error(text: str) -> None:
    """Whatever is typed, the page stands."""
    with suppress(InputError):
        window, until_ns = typed_range(text, NOW_NS, Zone())
        scope = Scope(window=window, until_ns=until_ns)
        seen = scope.range_at(NOW_NS)
        assert 0 < seen.to_ns - seen.from_ns <= WINDOW_MAX_NS


@given(st.integers(1, 31 * 86_400))
@settings(max_examples=examples(100))
def test_length_is_written_as_it_is_read(seconds: int) -> None:
    """A URL keeps it exactly."""
    assert Scope(window=length_text(seconds * NS_PER_S)).window_ns == seconds * NS_PER_S
