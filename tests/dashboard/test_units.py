from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.core.times import NS_PER_DAY, NS_PER_HOUR, NS_PER_S, instant_ns
from dashboard.units import (
    Zone,
    counted,
    fitting_digits,
    ms,
    named,
    percent,
    signed_ms,
    span_of_time,
    usd,
)

ZONES = (
    "UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kolkata", "Australia/Lord_Howe",
    "Pacific/Kiritimati", "America/Sao_Paulo", "Africa/Casablanca",
)  # fmt: skip
YEAR_2000_NS = 946_684_800 * NS_PER_S
INSTANTS = st.integers(YEAR_2000_NS, YEAR_2000_NS + 60 * 366 * NS_PER_DAY)


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("-1250.123456", "-1,250"), ("12.345678", "12.35"), ("-0.003141", "-0.0031"),
        ("0.000000", "0.00"), ("-120500000.000000", "-120.5 M"), (None, "unknown"),
    ],
)  # fmt: skip
def test_stored_amount_is_shown_with_the_digits_that_matter(stored: str | None, shown: str) -> None:
    """Not six places; what is less than a cent keeps two digits of its own."""
    assert fitting_digits(stored) == shown


@given(at_ns=INSTANTS, name=st.sampled_from(ZONES))
def test_what_a_clock_shows_leads_back_to_its_instant(at_ns: int, name: str) -> None:
    """But for the hour that it shows twice, of which the first is meant."""
    zone = Zone(name)
    back_ns = zone.utc_ns(zone.wall_ns(at_ns))
    assert zone.wall_ns(back_ns) == zone.wall_ns(at_ns)
    assert 0 <= at_ns - back_ns <= NS_PER_HOUR
    if name in ("UTC", "Asia/Kolkata", "Pacific/Kiritimati"):
        assert back_ns == at_ns


@pytest.mark.parametrize(
    ("name", "at", "full", "city"),
    [
        ("UTC", "2026-07-01T12:00:00.123456789Z", "2026-07-01 12:00:00.123456789 UTC", "UTC"),
        ("Europe/Berlin", "2026-07-01T22:30:00Z", "2026-07-02 00:30:00.000000000 CEST", "Berlin"),
        ("Europe/Berlin", "2026-01-01T12:00:00Z", "2026-01-01 13:00:00.000000000 CET", "Berlin"),
        ("America/Sao_Paulo", "2026-01-01T01:00:00Z", "2025-12-31 22:00:00.000000000 UTC-03",
         "Sao Paulo"),
    ],
)  # fmt: skip
def test_instant_is_written_by_the_clock_of_a_zone(
    name: str, at: str, full: str, city: str
) -> None:
    """Each says whose clock it is by, and of which half of the year."""
    zone, at_ns = Zone(name), instant_ns(at, "at")
    assert (zone.full(at_ns), zone.city) == (full, city)
    assert zone.at(at_ns) == f"{full[11:19]} {full.rpartition(' ')[2]}"
    assert zone.second(at_ns) == full[:19]
    assert zone.dated_at(at_ns, at_ns) == zone.at(at_ns)


@pytest.mark.parametrize(
    ("now", "dated"),
    [
        ("2026-07-02T21:59:59Z", "00:30:00"),
        ("2026-07-01T22:00:00Z", "00:30:00"),
        ("2026-07-02T22:00:00Z", "2026-07-02 00:30:00"),
        ("2026-07-01T21:59:59Z", "2026-07-02 00:30:00"),
    ],
)
def test_another_day_is_written_by_the_clock_of_the_reader(now: str, dated: str) -> None:
    """An end at half past midnight is of tomorrow until midnight, in Berlin at 22:00 UTC."""
    zone, at_ns = Zone("Europe/Berlin"), instant_ns("2026-07-01T22:30:00Z", "at")
    assert zone.dated(at_ns, instant_ns(now, "now")) == dated
    assert zone.dated_at(at_ns, instant_ns(now, "now")) == f"{dated} CEST"


def test_time_that_a_clock_never_shows_is_after_it_was_set_forward() -> None:
    """In Berlin half past two of that night is not there; half past three is."""
    never_ns = instant_ns("2026-03-29T02:30:00Z", "shown")
    assert Zone("Europe/Berlin").full(Zone("Europe/Berlin").utc_ns(never_ns))[:16] == (
        "2026-03-29 03:30"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "$0.00"),
        (0.0031, "$0.0031"),
        (-412.5, "−$412.50"),  # noqa: RUF001  a true minus sign
        (38_120.4, "$38,120"),
        (99_999_999, "$99,999,999"),
        (100_000_000, "$100.0 M"),
        (4_293_000_000, "$4,293.0 M"),
    ],
)
def test_dollars_have_as_many_digits_as_matter(value: float, text: str) -> None:
    """A card of the Overview cut what was earned an hour behind its first digits."""
    assert usd(value) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 spans"), (1, "1 span"), (2, "2 spans"), (1_482, "1,482 spans")]
)
def test_one_of_a_thing_is_written_as_one(number: int, text: str) -> None:
    """`Over 1 decisions` is read by whoever sends the first trace."""
    assert counted(number, "span") == text


@pytest.mark.parametrize(
    ("names", "text"), [(0, ""), (1, "n0"), (3, "n0, n1, n2"), (5, "n0, n1, n2 and 2 more")]
)
def test_first_of_many_names_stand_for_them(names: int, text: str) -> None:
    """Three hundred groups without a value filled the page with their names."""
    assert named([f"n{number}" for number in range(names)], 3) == text


def test_what_rounds_to_nothing_has_no_sign_of_less() -> None:
    """`-0.0 ms` asks what went backwards."""
    assert (ms(-40), percent(-1e-9)) == ("0.0 ms", "0.0 %")
    assert (signed_ms(-40), signed_ms(-60_000)) == ("+0.0 ms", "−0.1 ms")  # noqa: RUF001  a true minus sign


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(42, "42 s"), (270, "4.5 min"), (3_600, "60 min"), (10_800, "3 h"), (172_800, "2 d")],
)
def test_length_of_time_is_in_the_unit_that_suits(seconds: float, text: str) -> None:
    """And whole where it is whole."""
    assert span_of_time(seconds * NS_PER_S) == text
    assert span_of_time(math.inf) == "inf d"
