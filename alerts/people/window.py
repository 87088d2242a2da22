"""Pure: from when until when a silence holds, as people write it, by the clock of a place too."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from collector.core.errors import InputError
from collector.core.times import NS_PER_DAY, NS_PER_S, duration_ns, instant_ns, iso_ns, time_zone

LENGTH_NS_MAX: Final = 366 * NS_PER_DAY


@dataclass(frozen=True, slots=True)
class Window:
    """[starts, ends), Unix ns."""

    starts_ns: int
    ends_ns: int


def parse_window(starts: str, ends: str, duration: str, zone: str, now_ns: int) -> Window:
    """Return the window that texts name.

    Args:
        starts: an instant, "" for now.
        ends: an instant, or "" and a duration in its place.
        duration: such as 2h.
        zone: IANA name of the place by whose clock instants without an offset are meant, or "".
        now_ns: the time.

    Raises:
        InputError: a text is not an instant, or none that the clocks of the place show just once;
            the window is empty, over, or longer than a year.
    """
    if bool(ends) == bool(duration):
        raise InputError(
            "a silence ends: give ends, an instant, or duration, such as 2h, and not both"
        )
    starts_ns = local_ns(starts, zone, "starts") if starts else now_ns
    if duration:
        ends_ns = starts_ns + duration_ns(duration, "duration", least_ns=NS_PER_S)
    else:
        ends_ns = local_ns(ends, zone, "ends")
    if ends_ns <= max(starts_ns, now_ns):
        raise InputError(f"ends {ends!r} is not after the start and after now; give a later one")
    if ends_ns - starts_ns > LENGTH_NS_MAX:
        raise InputError(
            f"a silence of {(ends_ns - starts_ns) // NS_PER_DAY} days; give "
            f"{LENGTH_NS_MAX // NS_PER_DAY} at most, or take the rule out"
        )
    return Window(starts_ns, ends_ns)


def local_ns(text: str, zone: str, what: str) -> int:
    """Return an instant: with an offset, or by the clock of a place.

    Raises:
        InputError: there is neither; or the clock is set forward over this time, or back, so that
            the place sees it never, or twice.
    """
    if iso_ns(text, has_offset=True) is not None:
        return instant_ns(text, what)
    try:
        local = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(
            f"{what} {text[:40]!r} is not an instant; give ISO 8601, such as "
            "2026-05-01T22:00+02:00, or 2026-05-01T22:00 and a zone"
        ) from error
    if not zone:
        raise InputError(
            f"{what} {text!r} has no offset: whose clock is meant? Give 2026-05-01T22:00+02:00, or "
            "a zone such as Europe/Berlin"
        )
    where = time_zone(zone)
    first, second = (local.replace(tzinfo=where, fold=fold) for fold in (0, 1))
    if first.utcoffset() != second.utcoffset():
        back = first.astimezone(UTC).astimezone(where).replace(tzinfo=None)
        seen = "twice" if back == local else "never"
        raise InputError(
            f"{what} {text!r} is {seen} on the clocks of {zone}, which change then; give it with "
            f"an offset: {_iso(first)} or {_iso(second)}"
        )
    return instant_ns(first.isoformat(), what)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()
