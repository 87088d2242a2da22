"""Pure: a box over time and latency, as addresses and people write it, and what it is held to."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from attribution.core.selection import Narrowed, Selection
from collector.core.errors import InputError
from collector.core.times import INSTANT_NS_MAX, iso_ns
from dashboard.read.decisions.filter import DecisionFilter
from dashboard.read.scope import WINDOW_MAX_NS, latency_bounds_ns, latency_text
from dashboard.units import Zone, utc_iso

_NUMBER: Final = r"\d{1,9}(?:\.\d{1,6})?"
_BETWEEN: Final = re.compile(rf"({_NUMBER})?\s*(?:\.\.|-|to)\s*({_NUMBER})?")
_OVER: Final = re.compile(rf">=?\s*({_NUMBER})")
_UNDER: Final = re.compile(rf"<\s*({_NUMBER})")
LATENCY_FORMS: Final = "120..900, >120 or <50"


@dataclass(frozen=True, slots=True)
class Brush:
    """A box: [from, to) and [low, high); None is not bounded."""

    from_ns: int | None = None
    to_ns: int | None = None
    low_ms: float | None = None
    high_ms: float | None = None

    @property
    def is_empty(self) -> bool:
        """Return whether nothing is brushed."""
        return self == Brush()

    @property
    def latency_ns(self) -> tuple[int, int]:
        """Return the latencies of the box."""
        return latency_bounds_ns(self.low_ms, self.high_ms)


def parse_brush(time: str, latency: str) -> Brush:
    """Return the box of an address.

    Args:
        time: `FROM..TO`, both ISO 8601; "" for all of the range.
        latency: in milliseconds, in one of LATENCY_FORMS; "" for any.

    Raises:
        InputError: one of them is not what it should be, or ends before it begins.
    """
    from_ns, to_ns = parse_between("brush", time) if time.strip() else (None, None)
    low_ms, high_ms = parse_latency(latency)
    return Brush(from_ns, to_ns, low_ms, high_ms)


def parse_latency(text: str) -> tuple[float | None, float | None]:
    """Return the least and the largest latency in milliseconds. Raises InputError."""
    range_text = text.strip().lower().removesuffix("ms").strip()
    if not range_text:
        return None, None
    if over := _OVER.fullmatch(range_text):
        return float(over[1]), None
    if under := _UNDER.fullmatch(range_text):
        return None, float(under[1])
    match = _BETWEEN.fullmatch(range_text)
    if match is None or not any(match.groups()):
        raise InputError(
            f"latency {text[:40]!r} is not a range of milliseconds; give {LATENCY_FORMS}"
        )
    low, high = (None if each is None else float(each) for each in match.groups())
    if low is not None and high is not None and not low < high:
        raise InputError(f"latency {text[:40]!r} ends before it begins; give {LATENCY_FORMS}")
    return low, high


def parse_between(name: str, text: str) -> tuple[int, int]:
    """Return [from, to) of `FROM..TO` in ISO 8601. Raises InputError that calls it by its name."""
    begin, _, end = text.partition("..")
    from_ns, to_ns = iso_ns(begin.strip()), iso_ns(end.strip())
    if from_ns is None or to_ns is None or not 0 <= from_ns < to_ns:
        raise InputError(
            f"{name}={text[:80]!r} is not FROM..TO; give two instants of ISO 8601, such as "
            "2026-05-01T12:00Z..2026-05-01T12:05Z"
        )
    if to_ns - from_ns > WINDOW_MAX_NS:
        raise InputError(f"{name}={text[:80]!r} is longer than 31 days; give a shorter range")
    return from_ns, to_ns


def format_between(from_ns: int, to_ns: int) -> str:
    """Return a range of time as an address has it, to the millisecond."""
    return f"{utc_iso(from_ns)}Z..{utc_iso(to_ns)}Z"


def as_typed(text: str, zone: Zone) -> str:
    """Return a range of an address as people type it: `2026-11-27 10:00:00..10:05:00`.

    What is no range is returned as it is, and of an hour that the clock shows twice the second one
    is in UTC.
    """
    ends = [iso_ns(part.strip()) for part in text.split("..")]
    if len(ends) != 2 or any(end is None or not 0 <= end <= INSTANT_NS_MAX for end in ends):
        return text
    begin, end = (_typed_instant(ns or 0, zone) for ns in ends)
    is_short = begin[:10] == end[:10] and not begin.endswith("Z") and not end.endswith("Z")
    return f"{begin}..{end[11:] if is_short else end}"


def _typed_instant(ns: int, zone: Zone) -> str:
    wall_ns = zone.wall_ns(ns)
    if zone.utc_ns(wall_ns) != ns:
        return f"{utc_iso(ns)}Z"
    return utc_iso(wall_ns).replace("T", " ").removesuffix(".000")


def format_latency(low_ms: float | None, high_ms: float | None) -> str:
    """Return latencies as an address has them, "" for any."""
    if low_ms is None and high_ms is None:
        return ""
    return f"{latency_text(low_ms)}..{latency_text(high_ms)}"


def sides(
    criteria: DecisionFilter, brush: Brush, against: tuple[int, int] | None
) -> tuple[Narrowed, Narrowed, bool]:
    """Return what is compared with, what is brushed, and whether the first is without the second.

    Args:
        criteria: what the page looks at; its own latency bounds narrow both sides.
        brush: the box in it.
        against: a range of time that is the baseline; None compares with the rest.
    """
    view = criteria.view
    low_ns, high_ns = brush.latency_ns
    scope = Narrowed(
        Selection(
            view.from_ns, view.to_ns, view.action, view.region, criteria.low_ns, criteria.high_ns
        ),
        criteria.channel,
        criteria.cohort,
        criteria.service,
        tuple(criteria.places),
    )
    inside = replace(
        scope,
        of=replace(
            scope.of,
            from_ns=view.from_ns if brush.from_ns is None else brush.from_ns,
            to_ns=view.to_ns if brush.to_ns is None else brush.to_ns,
            low_ns=max(low_ns, criteria.low_ns),
            high_ns=min(high_ns, criteria.high_ns),
        ),
    )
    if against is None:
        return scope, inside, True
    baseline = replace(scope, of=replace(scope.of, from_ns=against[0], to_ns=against[1]))
    return baseline, inside, False
