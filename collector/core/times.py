"""Pure: lengths of time and instants in nanoseconds, and as people write them.

Needs nothing but the standard library, because a customer's service imports it through the clock.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from collector.core.errors import InputError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

NS_PER_US = 1_000
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
NS_PER_MINUTE = 60 * NS_PER_S
NS_PER_HOUR = 60 * NS_PER_MINUTE
NS_PER_DAY = 24 * NS_PER_HOUR
S_PER_DAY = NS_PER_DAY // NS_PER_S
S_PER_YEAR = 31_557_600  # of 365.25 days
FOREVER_NS = 2**63 - 1  # no instant is later, and no time longer
UNBOUNDED_NS = FOREVER_NS + 1  # where [from, to) has no end

INSTANT_NS_MAX = 9 * 10**18  # in 2255: 64 bits hold it, and a window behind it
_UNITS_NS = {
    "us": NS_PER_US,
    "ms": NS_PER_MS,
    "s": NS_PER_S,
    "m": NS_PER_MINUTE,
    "h": NS_PER_HOUR,
    "d": NS_PER_DAY,
    "w": 7 * NS_PER_DAY,
}
_LENGTH = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?)([a-z]{1,2})")
_FRACTION = re.compile(r"(?<=[0-9:]{5})[.,]([0-9]{1,9})[0-9]*")
# Of an hour or of a minute: ISO 8601 has them, and Python leaves them away without a word.
_NO_SECONDS = re.compile(r"[^0-9:][0-9]{2}(?::?[0-9]{2})?[.,]")
_ZONE = re.compile(r"[A-Za-z0-9_+-]{1,40}(?:/[A-Za-z0-9_+-]{1,40}){0,2}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def duration_ns(
    text: str, what: str, units: Sequence[str] = ("s", "m", "h", "d"), *, least_ns: int = 0
) -> int:
    """Return a length of time such as 15m or 1.5h.

    Args:
        text: a number and its unit; a bare number would leave the unit to a guess.
        what: the option or key that it was given as, for the error.
        units: those that are taken, of us, ms, s, m, h, d and w.
        least_ns: what is shorter is an error too.

    Raises:
        InputError: it is not a length of time.
    """
    match = _LENGTH.fullmatch(text.strip())
    if match is not None and match[2] in units:
        length_ns = round(Decimal(match[1]) * _UNITS_NS[match[2]])
        if length_ns >= least_ns:
            return length_ns
    raise InputError(
        f"{what} {text[:40]!r} is not a length of time; give a number and "
        f"{', '.join(units[:-1])} or {units[-1]}, such as 10{units[1]}"
    )


def instant_ns(text: str, what: str) -> int:
    """Return an instant as Unix nanoseconds; without an offset it is UTC.

    Args:
        text: ISO 8601, from 1970 to 2255.
        what: the option or key that it was given as, for the error.

    Raises:
        InputError: it is not an instant.
    """
    ns = iso_ns(text)
    if ns is None or not 0 <= ns < INSTANT_NS_MAX:
        raise InputError(
            f"{what} {text[:40]!r} is not an instant from 1970 to 2255; "
            "give ISO 8601, such as 2026-05-01T12:00Z"
        )
    return ns


def iso_ns(text: str, *, has_offset: bool = False) -> int | None:
    """Return an instant of any year as Unix nanoseconds, None where the text is not one.

    Args:
        text: ISO 8601; a fraction is one of a second, and counts to its ninth digit.
        has_offset: without an offset it is not an instant either; else it is UTC.
    """
    if _NO_SECONDS.search(text):
        return None
    # Python's datetime stops at microseconds, so the fraction is read apart.
    fraction = _FRACTION.search(text)
    try:
        moment = datetime.fromisoformat(_FRACTION.sub("", text, count=1))
    except ValueError:
        return None
    if moment.tzinfo is None:
        if has_offset:
            return None
        moment = moment.replace(tzinfo=UTC)
    elapsed = moment - _EPOCH
    nanoseconds = int(fraction[1].ljust(9, "0")) if fraction else 0
    return elapsed.days * NS_PER_DAY + elapsed.seconds * NS_PER_S + nanoseconds


def utc_day(ns: int) -> str:
    """Return the day of an instant in UTC, as 2026-05-01."""
    return utc_iso(ns)[:10]


def utc_iso(ns: int) -> str:
    """Return an instant in UTC to its second, as 2026-05-01T12:00:00Z."""
    return f"{datetime.fromtimestamp(ns // NS_PER_S, UTC):%Y-%m-%dT%H:%M:%SZ}"


def time_zone(name: str) -> ZoneInfo:
    """Return a zone by its IANA name.

    Raises:
        InputError: there is none of this name.
    """
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # no start has to wait for zones

    if _ZONE.fullmatch(name):
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass
    raise InputError(f"zone {name[:60]!r} is not an IANA zone; give one such as Europe/Berlin")
