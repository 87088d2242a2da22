"""Pure: when something planned runs: events of a calendar file, and the sessions of an exchange."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from alerts.people.window import Window, local_ns
from collector.core.errors import InputError
from collector.core.times import NS_PER_DAY, NS_PER_S, time_zone

if TYPE_CHECKING:
    from icalendar import Calendar

EVENTS_MAX: Final = 10_000  # in the time that is looked at
_COLUMNS: Final = ("starts", "ends")
# Of an event that repeats so often each repetition would have to be walked through.
_TOO_OFTEN: Final = frozenset({"SECONDLY", "MINUTELY", "HOURLY"})
# What the parser and what expands repetitions raise on files that are broken: they ask dates, zone
# files and attributes for what is not there.
_BROKEN: Final = (
    ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError,
)  # fmt: skip
_NEEDS: Final = "needs packages of the extra calendars: pip install 'millworth[calendars]'"


def csv_events(text: str, zone: str) -> list[Window]:
    """Return the events of a table with the columns starts and ends; others are for people.

    Args:
        text: of the table, with its header.
        zone: IANA name of the place whose clock instants without an offset are by, or "".

    Raises:
        InputError: a line is not an event, or there are more than 10,000.
    """
    reader = csv.DictReader(io.StringIO(text))
    missing = set(_COLUMNS) - set(reader.fieldnames or ())
    if missing:
        raise InputError(f"line 1: no column {min(missing)}; the header is starts,ends,name")
    found = []
    for row in reader:
        where = f"line {reader.line_num}"
        starts_ns, ends_ns = (
            local_ns((row[each] or "").strip(), zone, f"{where}: {each}") for each in _COLUMNS
        )
        if ends_ns <= starts_ns:
            raise InputError(f"{where}: ends {row['ends']} is not after starts {row['starts']}")
        found.append(Window(starts_ns, ends_ns))
        _bounded(found)
    return found


def ics_events(content: bytes, zone: str, titled: str, within: Window) -> list[Window]:
    """Return the events of an iCalendar file that touch a time, repetitions among them.

    Args:
        content: of the file.
        zone: IANA name of the place for events that name none: whole days and floating times.
        titled: part of the title of those that are meant, in any case; "" for all.
        within: the time.

    Raises:
        InputError: it is no iCalendar file; an event repeats within a day; a zone is missing; or
            more than 10,000 events are in the time.
    """
    try:
        # A tenth of a second, where a calendar is configured.
        import icalendar
        import recurring_ical_events
    except ImportError as error:
        raise InputError(f"an iCalendar file {_NEEDS}") from error
    try:
        calendar = icalendar.Calendar.from_ical(content)
    except _BROKEN as error:
        raise InputError(f"it is not an iCalendar file: {_short(error)}") from error
    begin, end = (datetime.fromtimestamp(ns / NS_PER_S, UTC) for ns in _padded(within))
    found = []
    try:
        _check_repeats(calendar)
        for event in recurring_ical_events.of(calendar, skip_bad_series=False).between(begin, end):
            if titled.casefold() in str(event.get("SUMMARY", "")).casefold():
                found.append(_window(event.start, event.end, zone))
            _bounded(found)
    except InputError:
        raise
    except _BROKEN as error:
        raise InputError(f"an event cannot be read: {_short(error)}") from error
    return [
        each
        for each in found
        if each.starts_ns < min(each.ends_ns, within.ends_ns) and each.ends_ns > within.starts_ns
    ]


def sessions(exchange: str, within: Window) -> list[Window]:
    """Return when an exchange trades, its breaks left out.

    Args:
        exchange: its market identifier code (ISO 10383), such as XNYS.
        within: the time.

    Raises:
        InputError: nobody knows the exchange, or the calendars are not installed.
    """
    try:
        import exchange_calendars  # half a second, where one is configured
    except ImportError as error:
        raise InputError(f"an exchange {_NEEDS}") from error
    first, last = (
        datetime.fromtimestamp(ns / NS_PER_S, UTC).date() for ns in _padded(within, days=7)
    )
    try:
        calendar = exchange_calendars.get_calendar(exchange, start=str(first), end=str(last))
    except (exchange_calendars.errors.CalendarError, *_BROKEN) as error:
        raise InputError(f"exchange {exchange[:20]!r}: {_short(error)}") from error
    found = []
    for starts_ns, break_ns, again_ns, ends_ns in zip(
        *(
            getattr(calendar, f"{each}_nanos").tolist()
            for each in ("opens", "break_starts", "break_ends", "closes")
        ),
        strict=True,
    ):
        # Without a break both of its instants are no time, which is negative.
        has_break = starts_ns < break_ns < again_ns < ends_ns
        cuts = (starts_ns, break_ns, again_ns, ends_ns) if has_break else (starts_ns, ends_ns)
        found += [Window(*cut) for cut in zip(cuts[::2], cuts[1::2], strict=True)]
    return found


def between(windows: Iterable[Window], within: Window) -> list[Window]:
    """Return the time that no window holds, in one that holds them all or parts of them."""
    found, at_ns = [], within.starts_ns
    for each in joined(windows):
        if each.starts_ns > at_ns:
            found.append(Window(at_ns, min(each.starts_ns, within.ends_ns)))
        at_ns = max(at_ns, each.ends_ns)
        if at_ns >= within.ends_ns:
            return found
    return [*found, Window(at_ns, within.ends_ns)]


def joined(windows: Iterable[Window]) -> list[Window]:
    """Return windows of the same time that are apart, in order."""
    found: list[Window] = []
    for each in sorted(windows, key=lambda window: (window.starts_ns, window.ends_ns)):
        if found and each.starts_ns <= found[-1].ends_ns:
            last = found.pop()
            found.append(Window(last.starts_ns, max(last.ends_ns, each.ends_ns)))
        else:
            found.append(each)
    return found


def mean_factor(
    parts: Sequence[tuple[Sequence[Window], Decimal]], starts_ns: int, ends_ns: int
) -> Decimal:
    """Return the mean over a time of the product of factors, each of which holds in its windows.

    Args:
        parts: windows that are apart, and the factor in them; outside it is one.
        starts_ns: of the time.
        ends_ns: of the time.
    """
    if starts_ns >= ends_ns:
        return Decimal(1)
    cuts = {starts_ns, ends_ns}
    for windows, _ in parts:
        cuts |= {
            ns
            for each in windows
            for ns in (each.starts_ns, each.ends_ns)
            if starts_ns < ns < ends_ns
        }
    total = Decimal(0)
    for begin_ns, end_ns in pairwise(sorted(cuts)):
        factor = Decimal(1)
        for windows, times in parts:
            if any(each.starts_ns <= begin_ns < each.ends_ns for each in windows):
                factor *= times
        total += factor * (end_ns - begin_ns)
    return total / (ends_ns - starts_ns)


def _check_repeats(calendar: Calendar) -> None:
    for event in calendar.walk("VEVENT"):
        rules: Any = event.get("RRULE", [])
        for rule in rules if isinstance(rules, list) else [rules]:
            often = _TOO_OFTEN & {str(each).upper() for each in rule.get("FREQ", [])}
            if often:
                title = str(event.get("SUMMARY", ""))[:60]
                raise InputError(f"event {title!r} repeats {min(often)}; DAILY is the most often")


def _window(start: date, end: date, zone: str) -> Window:
    """Return when an event is; one that begins where a clock leaves an hour out lasts as ever.

    Its begin is as much after that hour as it was in it.
    """
    starts_ns, ends_ns = _ns(start, zone), _ns(end, zone)
    if isinstance(start, datetime) and isinstance(end, datetime) and start.tzinfo == end.tzinfo:
        place = start.tzinfo or time_zone(zone)
        wall = start.replace(tzinfo=None)
        if datetime.fromtimestamp(starts_ns / NS_PER_S, place).replace(tzinfo=None) != wall:
            lasts = end.replace(tzinfo=None) - wall
            ends_ns = starts_ns + round(lasts.total_seconds()) * NS_PER_S
    return Window(starts_ns, ends_ns)


def _short(error: Exception) -> str:
    return repr(str(error)[:200])


def _ns(at: date, zone: str) -> int:
    """Return an instant; what names no place is by the clock of a zone."""
    if not isinstance(at, datetime):
        at = datetime.combine(at, time())
    if at.tzinfo is None:
        if not zone:
            raise InputError(
                f"{at.isoformat()} names no place: whose clock is meant? Give the calendar a zone, "
                "such as Europe/Berlin"
            )
        at = at.replace(tzinfo=time_zone(zone))
    return round(at.timestamp()) * NS_PER_S


def _padded(within: Window, days: int = 1) -> Iterator[int]:
    """Yield the ends of a time with some days more on both sides: dates are by local clocks."""
    yield max(0, within.starts_ns - days * NS_PER_DAY)
    yield within.ends_ns + days * NS_PER_DAY


def _bounded(found: Sequence[Window]) -> None:
    if len(found) > EVENTS_MAX:
        raise InputError(f"more than {EVENTS_MAX:,} events; split the calendar")
