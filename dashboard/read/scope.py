"""Pure: what a page looks at, as its URL says it; the one parser of page URLs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

from collector.core.errors import InputError
from collector.core.times import (
    NS_PER_DAY,
    NS_PER_HOUR,
    NS_PER_MS,
    NS_PER_S,
    UNBOUNDED_NS,
    duration_ns,
    instant_ns,
    time_zone,
)
from dashboard.read.rows import Range
from dashboard.units import Zone, utc_iso

WINDOWS = ("5m", "15m", "1h", "6h", "24h", "7d")
DEFAULT_WINDOW = "15m"
# A month by a clock that is set back in it has an hour more than its days.
WINDOW_MAX_NS = 31 * NS_PER_DAY + NS_PER_HOUR
# Widths of a heatmap's columns: the narrowest that gives at most this many of them.
_STEPS_NS = tuple(
    seconds * NS_PER_S for seconds in (1, 2, 5, 10, 60, 120, 300, 900, 3600, 21_600, 86_400)
)
_COLUMNS_MAX = 100
# What pages filter by beside action and region; each stands in the URL under its name.
FILTERS = (
    "state", "rule", "severity", "channel", "service", "cohort", "segment", "late", "failed",
    "sort", "after", "mode", "brush", "brush_ms", "against", "by", "less",
)  # fmt: skip
# Of those the ones that are on or off, and the words for it, which are those of `/api/v1`.
_SWITCHES = ("late", "failed")
_ON, _OFF = ("1", "true", "t", "yes", "y", "on"), ("0", "false", "f", "no", "n", "off")
# What `/api/v1` and commands call an order that a page has another word for.
_ORDERS = {"latency": "slowest", "time": ""}
_FILTER_MAX = 500
_NAMES = frozenset(
    {"id", "q", "window", "until", "action", "region", "low_ms", "high_ms", "tz", *FILTERS}
)
_NAMED_MAX = 3


@dataclass(frozen=True, slots=True)
class Scope:
    """The state of a page. `until_ns` None follows the clock, else the page stands still."""

    window: str = DEFAULT_WINDOW
    until_ns: int | None = None
    action: str = ""
    region: str = ""
    decision_id: str = ""
    search: str = ""
    low_ms: float | None = None
    high_ms: float | None = None
    filters: tuple[tuple[str, str], ...] = ()  # name and value of those that are set
    zone: Zone = field(default_factory=Zone)  # by whose clock times are shown and typed
    # What of an address could not be read, in words, and what is shown in its place.
    faults: tuple[str, ...] = field(default=(), compare=False)

    def filter(self, name: str) -> str:
        """Return the value of a filter, "" where it is not set."""
        return dict(self.filters).get(name, "")

    @property
    def window_ns(self) -> int:
        """Return the length of the window."""
        return window_length_ns(self.window)

    @property
    def latency_ns(self) -> tuple[int, int]:
        """Return the latencies [low, high) that a list is of."""
        return latency_bounds_ns(self.low_ms, self.high_ms)

    def range_at(self, now_ns: int) -> Range:
        """Return what the page looks at when the clock says `now_ns`."""
        to_ns = now_ns if self.until_ns is None else self.until_ns
        return Range(max(0, to_ns - self.window_ns), to_ns, self.action, self.region)


def latency_bounds_ns(low_ms: float | None, high_ms: float | None) -> tuple[int, int]:
    """Return the latencies [low, high), UNBOUNDED_NS where there is no upper bound.

    Rounded: 8.2 ms is 8,199,999.99 ns to a float, so that cutting it off loses a nanosecond.
    """
    low_ns = 0 if low_ms is None else round(low_ms * NS_PER_MS)
    high_ns = UNBOUNDED_NS if high_ms is None else round(high_ms * NS_PER_MS)
    return low_ns, high_ns


def latency_text(ms: float | None) -> str:
    """Return a latency in milliseconds as an address has it, to the nanosecond; "" for any."""
    return "" if ms is None else f"{ms:.6f}".rstrip("0").rstrip(".")


def window_length_ns(text: str, name: str = "window") -> int:
    """Return the length of a window such as 15m.

    Raises:
        InputError: it is not a length of time, or longer than 31 days.
    """
    length_ns = duration_ns(text, name, least_ns=1)
    if length_ns > WINDOW_MAX_NS:
        raise InputError(
            f"{name} {text[:40]!r} is longer than 31 days; ask for at most 31d at once"
        )
    return length_ns


def asked_range(window: str, until: str, now_ns: int) -> Range:
    """Return the range that a request names, `until` "" for now. Raises InputError."""
    to_ns = instant_ns(until, "until") if until else now_ns
    return Range(max(0, to_ns - window_length_ns(window)), to_ns)


def step_of(width_ns: int) -> int:
    """Return the width of a heatmap's columns over so much time."""
    fits = (step for step in _STEPS_NS if width_ns <= step * _COLUMNS_MAX)
    return next(fits, _STEPS_NS[-1])


def parse_scope(query: str | None) -> Scope:
    """Read the query part of a URL; what cannot be read is left at its default, and said."""
    parts = parse_qsl((query or "").removeprefix("?"), keep_blank_values=True)
    # The first of a name, as a browser takes it.
    got = dict(reversed(parts))
    window, until = got.get("window", DEFAULT_WINDOW), got.get("until", "")
    length_ns = _read(lambda text: duration_ns(text, "window", least_ns=1), window)
    is_window = length_ns is not None and length_ns <= WINDOW_MAX_NS
    until_ns = _read(lambda text: instant_ns(text, "until"), until)
    latency = {name: _milliseconds(got.get(name, "")) for name in ("low_ms", "high_ms")}
    faults = _odd_parts(parts)
    faults += [
        f"{name}={got[name][:40]!r} is not a number of milliseconds; any latency is shown"
        for name, value in latency.items()
        if value is None and got.get(name)
    ]
    if not is_window:
        why = "is longer than 31 days" if length_ns else "is not a length of time"
        faults.append(f"window={window[:40]!r} {why}; {DEFAULT_WINDOW} are shown")
    zone, is_zone = _zone(got.get("tz", ""))
    if not is_zone:
        faults.append(f"tz={got['tz'][:40]!r} is not a time zone; times are shown in UTC")
    if until and until_ns is None:
        why = "is not an instant from 1970 to 2255; the newest data are shown"
        faults.append(f"until={until[:40]!r} {why}")
    filters = {name: got[name][:_FILTER_MAX] for name in FILTERS if got.get(name)}
    filters["sort"] = _ORDERS.get(sort := filters.get("sort", ""), sort)
    for name in filters.keys() & set(_SWITCHES):
        said = filters.pop(name).lower()
        if said in _ON:
            filters[name] = "1"
        elif said not in _OFF:
            faults.append(f"{name}={said[:40]!r} is neither true nor false; it is taken as false")
    return Scope(
        window=window if is_window else DEFAULT_WINDOW,
        until_ns=until_ns,
        action=got.get("action", ""),
        region=got.get("region", ""),
        decision_id=got.get("id", ""),
        search=got.get("q", "").strip(),
        low_ms=latency["low_ms"],
        high_ms=latency["high_ms"],
        zone=zone,
        filters=tuple((name, filters[name]) for name in FILTERS if filters.get(name)),
        faults=tuple(faults),
    )


def _odd_parts(parts: Sequence[tuple[str, str]]) -> list[str]:
    """Return in words which parts of an address are none of a page's, or are there twice."""
    values: dict[str, list[str]] = {}
    for name, value in parts:
        values.setdefault(name, []).append(value)
    unknown = [
        f"{name[:40]!r} is not a part of an address; it is left out"
        for name in values
        if name not in _NAMES
    ]
    doubled = [
        f"{name} is there {len(given)} times; {given[0][:40]!r} is taken"
        for name, given in values.items()
        if name in _NAMES and len({*given}) > 1
    ]
    return [*unknown[:_NAMED_MAX], *doubled]


def format_scope(scope: Scope, after: str = "") -> str:
    """Write the query part of a URL, `?` included; a default is left out.

    Args:
        after: where a page of a list begins. It is of one list alone, so an address has it only
            where it is given here: whatever else changes what is listed begins at the first page.
    """
    parts = {
        "id": scope.decision_id,
        "q": scope.search,
        "window": scope.window if scope.window != DEFAULT_WINDOW else "",
        "until": "" if scope.until_ns is None else utc_iso(scope.until_ns) + "Z",
        "action": scope.action,
        "region": scope.region,
        "low_ms": latency_text(scope.low_ms),
        "high_ms": latency_text(scope.high_ms),
        "tz": scope.zone.name if scope.zone != Zone() else "",
        **dict(scope.filters),
        "after": after,
    }
    query = urlencode({name: value for name, value in parts.items() if value})
    return f"?{query}" if query else ""


def _read(parse: Callable[[str], int], text: str) -> int | None:
    try:
        return parse(text)
    except InputError:
        return None


def _zone(name: str) -> tuple[Zone, bool]:
    """Return a zone, UTC where there is none of this name, and whether there is one."""
    found = Zone(name or Zone().name)
    try:
        time_zone(found.name)
    except InputError:
        return Zone(), False
    return found, True


def _milliseconds(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < 1e9 else None
