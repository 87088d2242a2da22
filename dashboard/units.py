"""Pure: figures as an operator reads them. Unknown is written as unknown, never as zero."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from attribution.core.money import amount, digits
from collector.core.times import NS_PER_DAY, NS_PER_MS, NS_PER_S, time_zone

UNKNOWN = "unknown"
# From here on a card or a cell has no room for every digit, and nobody asks for it.
_MANY_USD = 1e8
_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]<>#|!~])")


def ms(ns: float, digits: int = 1) -> str:
    """Return milliseconds: `83.4 ms`."""
    return f"{ns / NS_PER_MS:z,.{digits}f} ms"


def signed_ms(ns: float) -> str:
    """Return a difference: `+41.2 ms`, with a minus sign that lines up with the plus."""
    return f"{ns / NS_PER_MS:+z,.1f} ms".replace("-", "−")  # noqa: RUF001  a true minus sign


def usd(value: Decimal | float) -> str:
    """Return an amount with as many digits as matter: `$38,120`, `$0.0031`, `120.5 M EUR`."""
    sign = "−" if value < 0 else ""  # noqa: RUF001  a true minus sign
    return f"{sign}{amount(_fitting(abs(float(value))))}"


def fitting_digits(value: str | None) -> str:
    """Return a stored amount as `usd` does, for where its currency stands beside it."""
    if value is None:
        return UNKNOWN
    return f"{'-' if float(value) < 0 else ''}{_fitting(abs(float(value)))}"


def _fitting(size: float) -> str:
    unit = ""
    if size >= _MANY_USD:
        size, unit = size / 1e6, " M"
    places = 1 if unit else 0 if size >= 1000 else 2 if size >= 0.1 or size == 0 else 4
    return f"{size:,.{places}f}{unit}"


def exact_digits(value: str | None) -> str:
    """Return a stored amount to its smallest unit, for where its currency stands beside it."""
    return UNKNOWN if value is None else digits(value)


def percent(share: float, places: int = 1) -> str:
    """Return a share: `93.4 %`."""
    return f"{share * 100:z,.{places}f} %"


def count(value: int) -> str:
    """Return a whole number with thousands set apart."""
    return f"{value:,}"


def counted(number: int, thing: str) -> str:
    """Return how many there are of a thing whose plural ends in s: `1 decision`, `1,482 alerts`."""
    return f"{count(number)} {thing}" if number == 1 else f"{count(number)} {thing}s"


def named(names: Sequence[str], most: int = 8) -> str:
    """Return the first of some names, and how many there are besides: `a, b and 3 more`."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {count(more)} more" if more > 0 else "")


def size(value: float) -> str:
    """Return bytes in the unit that suits: `20.0 KiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < 1024:
            return f"{value:,.0f} {unit}" if unit == "B" else f"{value:,.1f} {unit}"
        value /= 1024
    return f"{value:,.1f} TiB"


def span_of_time(ns: float) -> str:
    """Return a length of time in the unit that suits: `42 s`, `4.5 min`, `3 h`, `2 d`."""
    seconds = ns / NS_PER_S
    if seconds < 90:
        return f"{seconds:.0f} s"
    units = (("min", 60, 90 * 60), ("h", 3_600, 48 * 3_600))
    lengths = ((unit, length) for unit, length, until in units if seconds < until)
    unit, length = next(lengths, ("d", 86_400))
    return f"{seconds / length:.1f}".removesuffix(".0") + f" {unit}"


def without_text(missing_ns: int) -> str:
    """Return what is said after a figure of which so much is not attributed yet, "" for nothing."""
    return f", without {span_of_time(missing_ns)} still to be attributed" if missing_ns else ""


def utc_iso(ns: int) -> str:
    """Return an instant for an axis or a URL: `2026-09-21T14:13:20.123`, always UTC."""
    whole, rest = divmod(ns, NS_PER_S)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{rest // NS_PER_MS:03d}"


def utc_text(ns: int) -> str:
    """Return an instant for a person at a terminal: `2026-09-21T14:13:20Z`."""
    return f"{datetime.fromtimestamp(ns // NS_PER_S, UTC):%Y-%m-%dT%H:%M:%SZ}"


def utc_clock(ns: int) -> str:
    """Return the time of day, UTC: `14:13:20`."""
    return f"{datetime.fromtimestamp(ns // NS_PER_S, UTC):%H:%M:%S}"


def shorten(text: str, chars: int) -> str:
    """Return at most `chars` characters, the cut shown."""
    return text if len(text) <= chars else text[: chars - 1] + "…"


@dataclass(frozen=True, slots=True)
class Axis:
    """The instants of a figure: by one offset, so that they never go back on it."""

    offset_ns: int
    mark: str  # of the offset

    def iso(self, ns: int) -> str:
        """Return an instant as an axis takes it, which knows of no zones."""
        return utc_iso(ns + self.offset_ns)

    def pointed(self, from_ns: int, to_ns: int) -> str:
        """Return the form in which what is pointed at has its time, and its day among several."""
        days = {(ns + self.offset_ns) // NS_PER_DAY for ns in (from_ns, to_ns)}
        return f"%{{x|{'%H:%M:%S' if len(days) == 1 else '%Y-%m-%d %H:%M:%S'}}} {self.mark}"


@dataclass(frozen=True, slots=True)
class Zone:
    """By whose clock a page writes instants. All that is kept, asked and sent is UTC."""

    name: str = "UTC"  # of the IANA data base

    @property
    def city(self) -> str:
        """Return the zone as a heading has it, for whole columns: `UTC`, `Berlin`."""
        return self.name.rpartition("/")[2].replace("_", " ")

    def offset_ns(self, ns: int) -> int:
        """Return by how much the clock on the wall is before UTC at an instant."""
        return _offset_ns(datetime.fromtimestamp(ns // NS_PER_S, time_zone(self.name)))

    def wall_ns(self, ns: int) -> int:
        """Return what the clock on the wall shows, as the instant at which UTC shows the same."""
        return ns + self.offset_ns(ns)

    def utc_ns(self, wall_ns: int) -> int:
        """Return the instant at which the clock on the wall shows this.

        Where it shows it twice, the first one; where never, as much later as it is set forward.
        """
        wall_time = datetime.fromtimestamp(wall_ns // NS_PER_S, UTC)
        return wall_ns - _offset_ns(wall_time.replace(tzinfo=time_zone(self.name)))

    def day_ns(self, to_ns: int) -> int:
        """Return when the day began that a range is of which ends here: midnight ends one."""
        wall_ns = self.wall_ns(to_ns - 1)
        return self.utc_ns(wall_ns - wall_ns % NS_PER_DAY)

    def mark(self, ns: int) -> str:
        """Return what stands behind an instant: `UTC`, `CEST`, `UTC-03`."""
        name = datetime.fromtimestamp(ns // NS_PER_S, time_zone(self.name)).tzname() or self.name
        return name if name[0].isalpha() else f"UTC{name}"

    def axis(self, ns: int) -> Axis:
        """Return the axis of a figure that ends at an instant."""
        return Axis(self.offset_ns(ns), self.mark(ns))

    def clock(self, ns: int) -> str:
        """Return the time of day: `16:13:20`."""
        return utc_clock(self.wall_ns(ns))

    def at(self, ns: int) -> str:
        """Return the time of day with its mark: `16:13:20 CEST`."""
        return f"{self.clock(ns)} {self.mark(ns)}"

    def dated(self, ns: int, now_ns: int) -> str:
        """Return the time of day, behind the day where that is not the one of now.

        `16:13:20` or `2026-09-21 16:13:20`. What may be of another day is written by this.
        """
        is_today = self.wall_ns(ns) // NS_PER_DAY == self.wall_ns(now_ns) // NS_PER_DAY
        return self.clock(ns) if is_today else self.second(ns)

    def dated_at(self, ns: int, now_ns: int) -> str:
        """Return the same with its mark: `2026-09-21 16:13:20 CEST`."""
        return f"{self.dated(ns, now_ns)} {self.mark(ns)}"

    def second(self, ns: int) -> str:
        """Return the day and the time of day: `2026-09-21 16:13:20`."""
        return utc_iso(self.wall_ns(ns))[:19].replace("T", " ")

    def full(self, ns: int) -> str:
        """Return an instant to the nanosecond: `2026-09-21 16:13:20.123456789 CEST`."""
        return f"{self.second(ns)}.{ns % NS_PER_S:09d} {self.mark(ns)}"


def _offset_ns(instant: datetime) -> int:
    offset = instant.utcoffset()
    assert offset is not None, instant
    return round(offset.total_seconds()) * NS_PER_S


def markdown_text(text: str) -> str:
    """Return a text of a sender or a person that Markdown shows as it is, on one line."""
    line = "".join(char if char.isprintable() else " " for char in text)
    return _MARKDOWN.sub(r"\\\1", line)
