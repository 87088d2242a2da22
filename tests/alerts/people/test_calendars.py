"""Calendars as files that somebody edits while the service runs."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from alerts.people.calendars import CalendarConfig, Calendars
from collector.core.errors import InputError
from collector.core.times import NS_PER_DAY, NS_PER_HOUR, instant_ns

NOON_NS = instant_ns("2034-05-10T12:00Z", "noon")


def table(path: Path, *events: tuple[str, str]) -> None:
    """Write a calendar, newer than the one before by its time of change."""
    at_ns = path.stat().st_mtime_ns + 1_000_000 if path.exists() else NOON_NS
    path.write_text("starts,ends\n" + "".join(f"{starts},{ends}\n" for starts, ends in events))
    os.utime(path, ns=(at_ns, at_ns))


def calendars(path: Path, factor: float = 4.0, **changes: object) -> Calendars:
    """Return one calendar over a file."""
    config = {"name": "launches", "path": path, "budget_factor": factor, **changes}
    return Calendars([CalendarConfig.model_validate(config)])


def hour(of: Calendars, from_ns: int = NOON_NS) -> Decimal:
    """Return the factor of an hour."""
    return of.budget_factor(["launches"], from_ns, from_ns + NS_PER_HOUR)


def test_budget_allows_the_mean_over_the_window(tmp_path: Path) -> None:
    """A quarter of an hour at four times as much."""
    path = tmp_path / "launches.csv"
    table(path, ("2034-05-10T12:45Z", "2034-05-10T14:00Z"))
    of = calendars(path)

    assert hour(of) == Decimal("1.75")
    assert hour(of, NOON_NS + NS_PER_HOUR) == 4
    assert hour(of, NOON_NS + 30 * NS_PER_DAY) == 1
    assert of.budget_factor([], NOON_NS, NOON_NS + NS_PER_HOUR) == 1
    assert list(of.factor_bounds(["launches"])) == [1, 4]
    assert list(calendars(path, 0.5).factor_bounds(["launches"])) == [Decimal("0.5"), 1]


def test_file_that_is_replaced_by_one_as_old_is_read_again(tmp_path: Path) -> None:
    """As `cp -p` and archives leave it; a mode that was put right is told by the same time."""
    path = tmp_path / "launches.csv"
    table(path, ("2034-05-10T13:00Z", "2034-05-10T14:00Z"))
    of = calendars(path)
    assert hour(of) == 1
    before = path.stat()

    while path.stat().st_ctime_ns == before.st_ctime_ns:  # whose clock ticks every few ms
        table(path, ("2034-05-10T12:00Z", "2034-05-10T13:00Z"))
        os.utime(path, ns=(before.st_mtime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert hour(of) == 4


def test_changed_file_is_read_again_and_a_broken_one_stands_as_it_was(tmp_path: Path) -> None:
    """Somebody saves half a line: the budget of the night does not change by that."""
    path = tmp_path / "launches.csv"
    table(path)
    of = calendars(path)
    assert hour(of) == 1

    table(path, ("2034-05-10T12:00Z", "2034-05-10T13:00Z"))
    assert hour(of) == 4
    table(path, ("2034-05-10T12:", ""))
    assert hour(of) == 4
    path.unlink()
    assert hour(of) == 4
    table(path)
    assert hour(of) == 1


def test_first_reading_has_to_succeed(tmp_path: Path) -> None:
    """A service that starts without its calendar would page by another budget."""
    gone = calendars(tmp_path / "gone.csv")
    with pytest.raises(InputError, match=r"calendar launches .*gone.csv.*No such file"):
        gone.check(NOON_NS)
    path = tmp_path / "launches.ics"
    path.write_bytes(b"BEGIN" * 300_000)
    with pytest.raises(InputError, match=r"larger than 1,000,000 bytes"):
        calendars(path).check(NOON_NS)
    path = tmp_path / "latin.csv"
    path.write_bytes("starts,ends,name\n2034-01-01Z,2034-01-02Z,Gef\xfchl\n".encode("latin-1"))
    with pytest.raises(InputError, match="not UTF-8"):
        calendars(path).check(NOON_NS)


# The library goes by names that pandas is about to drop.
@pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")
def test_closed_market_allows_more() -> None:
    """New York trades from 13:30 to 20:00 UTC in summer."""
    closed = {"name": "launches", "exchange": "XNYS", "budget_factor": 10.0}
    day_ns = instant_ns("2027-06-09T00:00Z", "day")
    of = Calendars([CalendarConfig.model_validate(closed)])
    assert hour(of, day_ns + 13 * NS_PER_HOUR) == Decimal("5.5")
    assert hour(of, day_ns + 14 * NS_PER_HOUR) == 1
    assert hour(of, day_ns + 20 * NS_PER_HOUR) == 10
    trading = Calendars([CalendarConfig.model_validate(closed | {"during": "open"})])
    assert hour(trading, day_ns + 14 * NS_PER_HOUR) == 10
    assert hour(trading, day_ns + 20 * NS_PER_HOUR) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"path": None}, "needs path or exchange"),
        ({"exchange": "XNYS"}, "needs path or exchange, and not both"),
        ({"path": "launches.txt"}, "ends with neither .ics nor .csv"),
        ({"budget_factor": 0}, "greater than 0"),
        ({"during": "lunch"}, "'open' or 'closed'"),
    ],
)
def test_settings_that_mean_nothing_are_refused(changes: dict[str, object], said: str) -> None:
    """Whoever wrote them reads what to do."""
    settings = {"name": "launches", "path": "launches.ics", "budget_factor": 2.0, **changes}
    with pytest.raises(ValidationError, match=said):
        CalendarConfig.model_validate(settings)
