"""Pure: a range of time as people type it, by the clock of a zone."""

from __future__ import annotations

import re
from typing import Final

from collector.core.errors import InputError
from collector.core.times import (
    INSTANT_NS_MAX,
    NS_PER_DAY,
    NS_PER_HOUR,
    NS_PER_MINUTE,
    NS_PER_MS,
    NS_PER_S,
    duration_ns,
    iso_ns,
)
from dashboard.read.scope import WINDOW_MAX_NS
from dashboard.units import Zone

FORMS: Final = "15m, now-2h..now-1h, 10:00..10:05 or 2026-11-26 10:00..10:05"
_BETWEEN: Final = re.compile(r"\s*(?:\.\.|\u2013|\bto\b|\s-\s)\s*")
_CLOCK: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.\d{1,3})?)?")
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_UNITS: Final = (("d", NS_PER_DAY), ("h", NS_PER_HOUR), ("m", NS_PER_MINUTE), ("s", NS_PER_S))


def typed_range(text: str, now_ns: int, zone: Zone) -> tuple[str, int | None]:
    """Return the length of a range as a URL has it, and its end; no end follows the clock.

    A time without a day is of the last 24 hours, and an end without one is of the day of its begin,
    or of the next where it is earlier, unless that has not begun. A day alone is all of it. What
    has no offset is by the clock of the zone.

    Raises:
        InputError: it is not a range, ends before it begins, or is longer than 31 days.
    """
    range_text = text.strip().lower().removeprefix("last ")
    parts = _BETWEEN.split(range_text)
    if len(parts) == 1 and not _DAY.fullmatch(range_text):
        length_ns = _length(range_text.removeprefix("now-"), text)
        return length_text(_at_most(length_ns, text)), None
    if len(parts) > 2:
        raise _not_a_range(text)
    begin, end = parts[0], parts[-1]
    from_ns = _instant(begin, now_ns, text, zone)
    if _CLOCK.fullmatch(end):
        to_ns = _of_day(end, zone.wall_ns(from_ns), zone)
        if to_ns < from_ns:
            next_ns = _of_day(end, zone.wall_ns(from_ns) + NS_PER_DAY, zone)
            # Else its ends are swapped: nobody means a day of which nothing is known.
            to_ns = next_ns if zone.day_ns(next_ns) <= now_ns else to_ns
    elif _DAY.fullmatch(end):
        to_ns = zone.utc_ns(_iso_ns(end, text) + NS_PER_DAY)
    else:
        to_ns = _instant(end, now_ns, text, zone)
    if not from_ns < to_ns:
        raise InputError(f"range {text[:60]!r} ends before it begins; give {FORMS}")
    return length_text(_at_most(to_ns - from_ns, text)), to_ns


def length_text(length_ns: int) -> str:
    """Return a length of time in the largest unit that it is a whole number of."""
    for unit, unit_ns in _UNITS:
        if length_ns % unit_ns == 0:
            return f"{length_ns // unit_ns}{unit}"
    return f"{length_ns // NS_PER_MS / 1000:.3f}s"


def _instant(instant: str, now_ns: int, text: str, zone: Zone) -> int:
    if instant == "now":
        return now_ns
    if instant.startswith("now-"):
        return now_ns - _length(instant.removeprefix("now-"), text)
    if _CLOCK.fullmatch(instant):
        wall_ns = zone.wall_ns(now_ns)
        today_ns = _of_day(instant, wall_ns, zone)
        return today_ns if today_ns <= now_ns else _of_day(instant, wall_ns - NS_PER_DAY, zone)
    has_offset = iso_ns(_iso(instant), has_offset=True) is not None
    return _iso_ns(instant, text) if has_offset else zone.utc_ns(_iso_ns(instant, text))


def _iso_ns(instant: str, text: str) -> int:
    ns = iso_ns(_iso(instant))
    if ns is None or not NS_PER_DAY <= ns <= INSTANT_NS_MAX:
        raise _not_a_range(text)
    return ns


def _iso(instant: str) -> str:
    return instant.upper().replace(" ", "T")


def _length(length: str, text: str) -> int:
    try:
        return duration_ns(length, "range", least_ns=NS_PER_S)
    except InputError as error:
        raise _not_a_range(text) from error


def _at_most(length_ns: int, text: str) -> int:
    if length_ns > WINDOW_MAX_NS:
        raise InputError(f"range {text[:60]!r} is longer than 31 days; give a shorter one")
    return length_ns


def _of_day(time: str, wall_ns: int, zone: Zone) -> int:
    """Return the instant of a time of the day that the clock on the wall shows."""
    match = _CLOCK.fullmatch(time)
    assert match is not None
    fraction = time.partition(".")[2].ljust(3, "0")
    seconds = int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3] or 0)
    shown_ns = seconds * NS_PER_S + int(fraction) * NS_PER_MS
    return zone.utc_ns(wall_ns - wall_ns % NS_PER_DAY + shown_ns)


def _not_a_range(text: str) -> InputError:
    return InputError(f"range {text[:60]!r} is not a range of time; give {FORMS}")
