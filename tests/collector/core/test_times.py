"""Lengths of time and instants as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.core.errors import InputError
from collector.core.times import (
    INSTANT_NS_MAX,
    NS_PER_DAY,
    NS_PER_HOUR,
    NS_PER_MS,
    NS_PER_S,
    duration_ns,
    instant_ns,
    iso_ns,
    utc_day,
    utc_iso,
)
from tests.support.examples import examples


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("10s", 10 * NS_PER_S),
        (" 15m ", 900 * NS_PER_S),
        ("1.5h", 3 * NS_PER_HOUR // 2),
        ("31d", 31 * NS_PER_DAY),
        ("0s", 0),
    ],
)
def test_length_of_time_is_a_number_and_a_unit(text: str, ns: int) -> None:
    """Exact: no float in between."""
    assert duration_ns(text, "--for") == ns


@pytest.mark.parametrize("text", ["", "10", "s", "-1s", "1e3s", "10ms", "1s2m", "9" * 19 + "d"])
def test_what_is_no_length_of_time_is_named_with_the_remedy(text: str) -> None:
    """A bare number would leave its unit to a guess; a unit that is too fine is one of another."""
    with pytest.raises(InputError) as raised:
        duration_ns(text, "--since")
    assert str(raised.value) == (
        f"--since {text!r} is not a length of time; give a number and s, m, h or d, such as 10m"
    )


def test_units_and_the_least_length_are_the_callers() -> None:
    """A cut is in milliseconds, and a window has to be one."""
    assert duration_ns("0.25ms", "--cut", ("us", "ms", "s")) == NS_PER_MS // 4
    with pytest.raises(InputError, match="give a number and us, ms or s, such as 10ms"):
        duration_ns("1h", "--cut", ("us", "ms", "s"))
    with pytest.raises(InputError, match="window '0s' is not a length of time"):
        duration_ns("0s", "window", least_ns=1)


@settings(max_examples=examples(200))
@given(
    st.datetimes(datetime(1970, 1, 1), datetime(2254, 1, 1)),  # noqa: DTZ001  the zone is drawn
    st.integers(0, 999_999_999),
    st.integers(-14 * 60, 14 * 60),
)
def test_instant_is_read_to_the_nanosecond(moment: datetime, ns: int, minutes: int) -> None:
    """Whatever its offset; a float of seconds would move it by 238 ns."""
    moment = moment.replace(microsecond=0)
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    text = f"{moment:%Y-%m-%dT%H:%M:%S}.{ns:09}{sign}{hours:02}:{rest:02}"
    utc = moment.replace(tzinfo=UTC) - timedelta(minutes=minutes)
    elapsed = utc - datetime(1970, 1, 1, tzinfo=UTC)
    assert iso_ns(text) == (elapsed.days * 86_400 + elapsed.seconds) * NS_PER_S + ns


def test_instant_without_an_offset_is_utc_where_it_may_be() -> None:
    """An outcome is of somebody's clock, so it has to say of which zone."""
    assert iso_ns("1970-01-02") == NS_PER_DAY
    assert iso_ns("1970-01-02", has_offset=True) is None
    assert iso_ns("1970-01-02T00:00:00.5Z", has_offset=True) == NS_PER_DAY + NS_PER_S // 2


@pytest.mark.parametrize(
    "text", ["T10.5Z", "T10,5Z", "T10:30.5Z", "T1030.5+02:00", " 10.5", " 10:30,5"]
)
def test_fraction_of_an_hour_or_a_minute_is_none_of_a_second(text: str) -> None:
    """ISO 8601 has both; Python would read half past ten as ten."""
    assert iso_ns("2026-05-01" + text) is None
    assert iso_ns("2026-05-01T10:30:00.5+05:30") == iso_ns("20260501T103000,5+0530")


@pytest.mark.parametrize("text", ["", "soon", "9999-12-31", "1969-12-31", "2026-05-01.5", "12:00"])
def test_what_is_no_instant_is_named_with_the_remedy(text: str) -> None:
    """What 64 bits do not hold is none of the store's either."""
    with pytest.raises(InputError) as raised:
        instant_ns(text, "until")
    assert str(raised.value) == (
        f"until {text!r} is not an instant from 1970 to 2255; "
        "give ISO 8601, such as 2026-05-01T12:00Z"
    )


@given(st.integers(0, INSTANT_NS_MAX - 1))
def test_instant_is_written_to_its_second_in_utc(ns: int) -> None:
    """And read as the same second; its day is the day that it lies in."""
    assert iso_ns(utc_iso(ns)) == ns - ns % NS_PER_S
    assert iso_ns(utc_day(ns)) == ns - ns % NS_PER_DAY
