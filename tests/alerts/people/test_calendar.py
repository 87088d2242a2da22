"""Events by the clocks of their places, over both changes of these, and files that are none."""

from __future__ import annotations

import contextlib
import re
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.people.calendar import (
    EVENTS_MAX,
    between,
    csv_events,
    ics_events,
    joined,
    mean_factor,
    sessions,
)
from alerts.people.window import Window
from collector.core.errors import InputError
from collector.core.times import instant_ns
from tests.support.examples import examples

BERLIN = "Europe/Berlin"
ALWAYS = Window(instant_ns("2034-01-01T00:00Z", "a"), instant_ns("2035-01-01T00:00Z", "b"))


def window(starts: str, ends: str) -> Window:
    """Return a window of two instants."""
    return Window(instant_ns(starts, "starts"), instant_ns(ends, "ends"))


def ics(*lines: str) -> bytes:
    """Return a calendar of one event."""
    begin = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", "BEGIN:VEVENT", "UID:1")
    return "\r\n".join((*begin, *lines, "END:VEVENT", "END:VCALENDAR", "")).encode()


WEEKLY = ics(
    "SUMMARY:Sunday sale",
    f"DTSTART;TZID={BERLIN}:20340319T010000",
    f"DTEND;TZID={BERLIN}:20340319T040000",
    "RRULE:FREQ=WEEKLY;COUNT=34",
)


def test_repeated_event_follows_the_clock_of_its_place() -> None:
    """From 1 to 4 by the wall is three hours, two in spring and four in autumn."""
    found = ics_events(WEEKLY, "", "", ALWAYS)

    assert len(found) == 34
    by_start = {each.starts_ns: each for each in found}
    for starts, ends in (
        ("2034-03-19T00:00Z", "2034-03-19T03:00Z"),
        ("2034-03-26T00:00Z", "2034-03-26T02:00Z"),
        ("2034-10-28T23:00Z", "2034-10-29T03:00Z"),
        ("2034-11-05T00:00Z", "2034-11-05T03:00Z"),
    ):
        assert by_start[instant_ns(starts, "starts")] == window(starts, ends)


@pytest.mark.parametrize("ends", ["DURATION:PT1H", f"DTEND;TZID={BERLIN}:20340325T033000"])
def test_event_in_the_hour_that_a_clock_leaves_out_lasts_as_long_as_ever(ends: str) -> None:
    """A window of every night was gone in that one, and nobody was told."""
    nightly = ics(f"DTSTART;TZID={BERLIN}:20340325T023000", ends, "RRULE:FREQ=DAILY;COUNT=3")
    assert ics_events(nightly, "", "", ALWAYS) == [
        window("2034-03-25T01:30Z", "2034-03-25T02:30Z"),
        window("2034-03-26T01:30Z", "2034-03-26T02:30Z"),
        window("2034-03-27T00:30Z", "2034-03-27T01:30Z"),
    ]
    longer = ics(f"DTSTART;TZID={BERLIN}:20340326T023000", f"DTEND;TZID={BERLIN}:20340326T034500")
    assert ics_events(longer, "", "", ALWAYS) == [window("2034-03-26T01:30Z", "2034-03-26T02:45Z")]


def test_only_what_touches_the_time_and_has_the_title_is_found() -> None:
    """A calendar of a year is looked at in days."""
    week = window("2034-03-27T00:00Z", "2034-04-03T00:00Z")
    [only] = ics_events(WEEKLY, "", "SALE", week)
    assert only == window("2034-04-01T23:00Z", "2034-04-02T02:00Z")
    assert ics_events(WEEKLY, "", "launch", week) == []


def test_whole_day_is_by_the_clock_of_the_calendar() -> None:
    """The day of the change is 23 hours long."""
    day = ics("DTSTART;VALUE=DATE:20340326", "DTEND;VALUE=DATE:20340327")
    found = ics_events(day, BERLIN, "", ALWAYS)
    assert found == [window("2034-03-25T23:00Z", "2034-03-26T22:00Z")]
    with pytest.raises(InputError, match=r"whose clock is meant.*zone"):
        ics_events(day, "", "", ALWAYS)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"\x00\xff\xfe", "not an iCalendar file", id="bytes"),
        pytest.param(b"", "not an iCalendar file", id="nothing"),
        pytest.param(b"<html>Please sign in</html>", "not an iCalendar file", id="a page"),
        pytest.param(ics("DTSTART:2034", "DTEND:x"), "cannot be read", id="no instants"),
        pytest.param(
            ics("SUMMARY:tick", "DTSTART:19700101T000000Z", "RRULE:FREQ=SECONDLY"),
            "'tick' repeats SECONDLY; DAILY",
            id="each second since 1970",
        ),
        pytest.param(
            ics(
                "DTSTART:20340101T000000Z",
                "RRULE:FREQ=DAILY;BYHOUR=" + ",".join(map(str, range(24))) + ";BYMINUTE=0,1,2",
            ),
            "more than 10,000 events",
            id="too many",
        ),
    ],
)
def test_file_that_is_none_is_refused(content: bytes, said: str) -> None:
    """Whoever named it reads why."""
    with pytest.raises(InputError, match=re.escape(said)):
        ics_events(content, BERLIN, "", ALWAYS)


@settings(max_examples=examples(200), deadline=None)
@given(st.binary(max_size=200), st.integers(0, 500), st.integers(0, 255))
def test_broken_file_is_read_or_refused(inserted: bytes, at: int, byte: int) -> None:
    """Nothing else than events or an error with words comes out."""
    content = bytearray(WEEKLY)
    content[at % len(content)] = byte
    for each in (bytes(content), WEEKLY[: at % len(WEEKLY)], WEEKLY[:at] + inserted + WEEKLY[at:]):
        found = []
        with contextlib.suppress(InputError):
            found = ics_events(each, "", "", ALWAYS)
        assert all(event.starts_ns < event.ends_ns for event in found)


def test_table_has_events_by_the_clock_of_its_place_or_with_offsets() -> None:
    """Other columns are for people; blanks do not matter."""
    text = (
        "name,starts,ends\n"
        '"launch, autumn",2034-10-29 01:00,2034-10-29 04:00\n'
        "audit,2034-01-10T22:00+02:00, 2034-01-10T23:00+02:00\n"
    )
    assert csv_events(text, BERLIN) == [
        window("2034-10-28T23:00Z", "2034-10-29T03:00Z"),
        window("2034-01-10T20:00Z", "2034-01-10T21:00Z"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: no column ends; the header is starts,ends,name"),
        ("starts,end\n", "line 1: no column ends"),
        ("starts,ends\n2034-01-01,2034-01-02\n2034-01-03,soon\n", "line 3: ends 'soon'"),
        ("starts,ends\n2034-01-01\n", "line 2: ends ''"),
        ("starts,ends\n2034-01-02,2034-01-01\n", "line 2: ends 2034-01-01 is not after"),
        ("starts,ends\n2034-03-26T02:30,2034-03-27\n", "never on the clocks of Europe/Berlin"),
        ("starts,ends\n2034-10-29T02:30,2034-10-30\n", "twice on the clocks of Europe/Berlin"),
        ("starts,ends\n" + "2034-01-01,2034-01-02\n" * (EVENTS_MAX + 1), "more than 10,000"),
    ],
)
def test_line_that_is_no_event_is_named(text: str, said: str) -> None:
    """A table is written by hand."""
    with pytest.raises(InputError, match=re.escape(said)):
        csv_events(text, BERLIN)


# The library goes by names that pandas is about to drop.
@pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")
def test_exchange_trades_by_its_own_calendar() -> None:
    """Thanksgiving has none, the day after is short, and Hong Kong has lunch."""
    week = window("2026-11-25T00:00Z", "2026-11-28T00:00Z")
    trades = sessions("XNYS", week)
    open_days = [
        window("2026-11-25T14:30Z", "2026-11-25T21:00Z"),
        window("2026-11-27T14:30Z", "2026-11-27T18:00Z"),
    ]
    assert [each for each in trades if week.starts_ns <= each.starts_ns < week.ends_ns] == open_days
    assert between(trades, week) == [
        window("2026-11-25T00:00Z", "2026-11-25T14:30Z"),
        window("2026-11-25T21:00Z", "2026-11-27T14:30Z"),
        window("2026-11-27T18:00Z", "2026-11-28T00:00Z"),
    ]
    day = window("2026-11-25T00:00Z", "2026-11-26T00:00Z")
    lunch = window("2026-11-25T04:00Z", "2026-11-25T05:00Z")
    assert lunch in between(sessions("XHKG", day), day)
    with pytest.raises(InputError, match="exchange 'NOPE'"):
        sessions("NOPE", week)


WINDOWS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 30)).map(lambda w: Window(w[0], w[0] + w[1])),
    max_size=8,
)
WITHIN = st.tuples(st.integers(0, 40), st.integers(1, 60)).map(lambda w: Window(w[0], w[0] + w[1]))


def holds(windows: list[Window], at: int) -> bool:
    """Return whether an instant is in any window."""
    return any(each.starts_ns <= at < each.ends_ns for each in windows)


@settings(max_examples=examples(200))
@given(WINDOWS, WITHIN)
def test_windows_and_the_time_between_them_are_each_instant_once(
    windows: list[Window], within: Window
) -> None:
    """Joined they are apart and hold the same; between them is all the rest."""
    apart, rest = joined(windows), between(windows, within)
    assert all(a.ends_ns < b.starts_ns for a, b in pairwise(apart))
    for at in range(within.starts_ns, within.ends_ns):
        assert holds(apart, at) == holds(windows, at) == (not holds(rest, at))
    assert all(within.starts_ns <= each.starts_ns < each.ends_ns <= within.ends_ns for each in rest)


@settings(max_examples=examples(200))
@given(
    st.lists(st.tuples(WINDOWS.map(joined), st.decimals("0.1", 10, places=1)), max_size=3), WITHIN
)
def test_mean_factor_is_the_mean_over_instants(
    parts: list[tuple[list[Window], Decimal]], within: Window
) -> None:
    """Instant by instant, factors that hold at the same time multiplied."""
    total = Decimal(0)
    for at in range(within.starts_ns, within.ends_ns):
        factor = Decimal(1)
        for windows, times in parts:
            factor *= times if holds(windows, at) else 1
        total += factor
    mean = total / (within.ends_ns - within.starts_ns)
    assert mean_factor(parts, within.starts_ns, within.ends_ns) == pytest.approx(mean)
    assert mean_factor(parts, within.ends_ns, within.ends_ns) == 1
