from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.people.window import LENGTH_NS_MAX, Window, local_ns, parse_window
from collector.core.errors import InputError
from collector.core.times import NS_PER_HOUR, NS_PER_MINUTE, NS_PER_S, instant_ns
from tests.conftest import NOW_NS

BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("text", "zone", "utc"),
    [
        pytest.param("2034-01-10T22:00+02:00", "", "2034-01-10T20:00Z", id="an offset"),
        pytest.param("2034-01-10T22:00Z", BERLIN, "2034-01-10T22:00Z", id="an offset goes first"),
        pytest.param("2034-01-10T22:00", BERLIN, "2034-01-10T21:00Z", id="winter"),
        pytest.param("2034-07-10T22:00", BERLIN, "2034-07-10T20:00Z", id="summer"),
        pytest.param("2034-03-26T01:59:59", BERLIN, "2034-03-26T00:59:59Z", id="before the gap"),
        pytest.param("2034-03-26T03:00", BERLIN, "2034-03-26T01:00Z", id="behind the gap"),
        pytest.param("2034-10-29T01:59:59", BERLIN, "2034-10-28T23:59:59Z", id="before the fold"),
        pytest.param("2034-10-29T03:00", BERLIN, "2034-10-29T02:00Z", id="behind the fold"),
        pytest.param("2034-11-05T02:00", "America/New_York", "2034-11-05T07:00Z", id="elsewhere"),
        pytest.param("2034-01-10", BERLIN, "2034-01-09T23:00Z", id="a day"),
        pytest.param("2034-01-10T22:00", "UTC", "2034-01-10T22:00Z", id="UTC"),
    ],
)
def test_instant_is_meant_by_the_clock_of_its_place(text: str, zone: str, utc: str) -> None:
    """A maintenance window is agreed upon by a clock on a wall."""
    assert local_ns(text, zone, "starts") == instant_ns(utc, "utc")


@pytest.mark.parametrize(
    ("text", "zone", "said"),
    [
        pytest.param("2034-01-10T22:00", "", "has no offset", id="whose clock?"),
        pytest.param("2034-03-26T02:30", BERLIN, "is never on the clocks", id="in the gap"),
        pytest.param("2034-10-29T02:30", BERLIN, "is twice on the clocks", id="in the fold"),
        pytest.param("2034-01-10T22:00", "Mars/Olympus", "not an IANA zone", id="no such zone"),
        pytest.param("2034-01-10T22:00", "../../etc/passwd", "not an IANA zone", id="a path"),
        pytest.param("2034-01-10T22:00", "/etc/localtime", "not an IANA zone", id="another"),
        pytest.param("tomorrow", BERLIN, "is not an instant", id="no instant"),
    ],
)
def test_what_could_be_meant_in_two_ways_is_refused(text: str, zone: str, said: str) -> None:
    """An hour too long hides an incident; an hour too short wakes people."""
    with pytest.raises(InputError, match=re.escape(said)):
        local_ns(text, zone, "starts")


def test_remedy_of_a_fold_names_both_instants() -> None:
    """One of them is meant."""
    with pytest.raises(InputError, match=r"2034-10-29T00:30:00\+00:00 or 2034-10-29T01:30:00"):
        local_ns("2034-10-29T02:30", BERLIN, "ends")


def test_window_over_the_edge_is_as_long_as_the_clocks_say() -> None:
    """From 1 to 4 by the wall is two hours in spring, and four in autumn."""
    for day, hours in (("2034-03-26", 2), ("2034-10-29", 4)):
        window = parse_window(f"{day}T01:00", f"{day}T04:00", "", BERLIN, NOW_NS)
        assert window.ends_ns - window.starts_ns == hours * NS_PER_HOUR


def test_silence_begins_now_unless_it_says_when() -> None:
    """The usual one: two hours, from now."""
    assert parse_window("", "", "2h", "", NOW_NS) == Window(NOW_NS, NOW_NS + 2 * NS_PER_HOUR)
    later = parse_window("2033-05-18T04:00Z", "", "30m", "", NOW_NS)
    assert later.ends_ns - later.starts_ns == 30 * NS_PER_MINUTE


@pytest.mark.parametrize(
    ("starts", "ends", "duration", "said"),
    [
        ("", "", "", "a silence ends"),
        ("", "2034-01-10T22:00Z", "2h", "not both"),
        ("", "2033-05-18T03:33:20Z", "", "not after the start and after now"),
        ("2033-05-18T05:00Z", "2033-05-18T04:00Z", "", "not after the start"),
        ("2020-01-01T00:00Z", "", "1h", "not after the start and after now"),
        ("", "", "367d", "a silence of 367 days"),
        ("", "", "99999999999999999d", "days"),
        ("", "", "0s", "not a length of time"),
    ],
)
def test_silence_has_an_end_within_a_year(starts: str, ends: str, duration: str, said: str) -> None:
    """One without is a rule that nobody took out."""
    with pytest.raises(InputError, match=said):
        parse_window(starts, ends, duration, "", NOW_NS)


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=8), st.text(max_size=20))
def test_any_text_is_a_window_or_refused(starts: str, ends: str, duration: str, zone: str) -> None:
    """And a window that is taken is not over."""
    try:
        window = parse_window(starts, ends, duration, zone, NOW_NS)
    except InputError:
        return
    assert window.starts_ns < window.ends_ns <= window.starts_ns + LENGTH_NS_MAX
    assert window.ends_ns > NOW_NS - NS_PER_S
