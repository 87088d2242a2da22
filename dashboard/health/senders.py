"""I/O: whose clock is off, told by when spans ended and when they came, and what comes of it.

And which attributes of theirs are misspelt: nobody reads them, and no decision comes of them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from collector.core.config import AttributesConfig
from collector.core.counters import Counters
from collector.core.event_schema import MAPPED
from collector.core.log import get_logger
from collector.core.sql import sql
from collector.core.times import NS_PER_MINUTE, NS_PER_S
from collector.store.connect import Connections
from dashboard.health.items import HealthItem, health_item

_CLOCKS: Final = sql("sender_clocks", __file__)
_NEAR: Final = sql("near_attributes", __file__)
_UNMOVED: Final = sql("unmoved_spans", __file__)
# What came in this time is looked at.
_LOOKED_NS: Final = 3 * NS_PER_MINUTE
# Nothing ends after it came, and clocks under NTP are not so far off.
_AHEAD_NS: Final = 2 * NS_PER_S
# Exporters send every few seconds. What was held back comes at once, and a file does, or differs by
# as much as it is long; a clock that is behind stays so, evenly.
_BEHIND_NS, _LASTING_NS = 20 * NS_PER_S, NS_PER_MINUTE
_APART_NS, _TIMES_MIN = 10 * NS_PER_S, 4
# A clock that runs faster or slower than ours by more than this is none: it is a file.
_DRIFT_MAX: Final = 0.1
_SPANS_MIN: Final = 30
_NAMED_MAX: Final = 3
# Of so many spans attributes are read at most; names that differ by a letter or two are alike.
_READ_MAX: Final = 20_000
_ALIKE: Final = 0.9
_PREFIXES: Final = ("decision.", "outcome.", "latency.")
_OURS: Final = tuple(sorted(each for each in MAPPED if each.startswith(_PREFIXES)))

_log = get_logger("dashboard")


@dataclass(frozen=True, slots=True)
class OffClock:
    """One machine of a service whose clock is off."""

    service: str
    host: str  # "" where its spans do not say
    ahead_s: float  # negative: behind, or what it sends is held back


@dataclass(frozen=True, slots=True)
class UnshiftedClass:
    """Decisions of one class with spans that no shift puts right."""

    action: str
    region: str
    decisions: int
    example: str  # id of the newest


@dataclass(frozen=True, slots=True)
class Misspelt:
    """An attribute that is nearly one of ours, and is read by nobody."""

    service: str
    name: str
    ours: str
    spans: int  # that carry it, of those that were looked at
    example: str  # id of a trace


class Senders:
    """Looks at what came in the last minutes; the furthest clocks are in `off`.

    Args:
        store: where spans are read.
        counters: gets the clock of each service that is off.
        attributes: a customer's own names, which are read too.
    """

    def __init__(
        self, store: Connections, counters: Counters, attributes: AttributesConfig
    ) -> None:
        self._store = store
        self._read_names = [*_OURS, *attributes.map.values()]
        self._counters = counters
        self.off: dict[str, list[OffClock]] = {}  # by service, the furthest first
        self.unmoved: list[UnshiftedClass] = []
        self.misspelt: list[Misspelt] = []

    def run_once(self, now_ns: int) -> int:
        """Look; return how many services are off."""
        after = {"after_ns": max(now_ns - _LOOKED_NS, 0)}
        limits = {
            "spans_min": _SPANS_MIN,
            "ahead_ns": _AHEAD_NS,
            "behind_ns": _BEHIND_NS,
            "lasting_ns": _LASTING_NS,
            "apart_ns": _APART_NS,
            "times_min": _TIMES_MIN,
            "drift_max": _DRIFT_MAX,
        }
        found: dict[str, list[OffClock]] = {}
        reader = self._store.reader()
        stamped = reader.query(_CLOCKS, parameters=after | limits).result_rows
        for service, host, behind_ns in stamped:
            clock = OffClock(str(service), str(host), round(-int(behind_ns) / NS_PER_S, 1))
            found.setdefault(clock.service, []).append(clock)
        rows = reader.query(_UNMOVED, parameters=after).result_rows
        self.unmoved = [UnshiftedClass(str(a), str(r), int(n), str(e)) for a, r, n, e in rows]
        names = {"prefixes": list(_PREFIXES), "ours": self._read_names, "spans_max": _READ_MAX}
        near = reader.query(_NEAR, parameters=after | names).result_rows
        self.misspelt = [each for row in near if (each := _misspelt(*row)) is not None]
        for service in sorted(found.keys() - self.off.keys()):
            worst = found[service][0]
            _log.warning(
                "sender_clock_off", service=service, host=worst.host, ahead_s=worst.ahead_s
            )
        self.off = found
        self._counters.sender_clock.clear()
        for service, clocks in found.items():
            self._counters.sender_clock.labels(service).set(clocks[0].ahead_s)
        return len(found)


def sender_items(senders: Senders, skew_max_s: float) -> Iterator[HealthItem]:
    """Yield each service whose clock is off, and the decisions whose spans could not be put right.

    Args:
        senders: as they were at the last run.
        skew_max_s: by how much spans are moved at most.
    """
    for service, clocks in senders.off.items():
        ahead_s = clocks[0].ahead_s
        hosts = _named([each.host for each in clocks if each.host])
        whose = f"the clock of {hosts or service}"
        if ahead_s > 0:
            what = f"its spans end so long after they came: {whose} is ahead"
            late = "alerts, which go by it, see what it sends when that time has come"
        else:
            what = (
                f"its spans end so long before they come: {whose} is behind, or it holds them back"
            )
            late = "no window of an alert that is shorter sees them in time"
        moved = (
            ""
            if abs(ahead_s) <= skew_max_s
            else "; called by a service whose clock is right, they count as network"
        )
        remedy = "set the clock that is off, of this machine where every service is named"
        detail = f"{what}; {late}{moved}; {remedy}"
        yield health_item(f"senders.clock.{service}", ahead_s, "s", warn=detail)
    if senders.unmoved:
        classes = _named([f"{each.action}/{each.region}" for each in senders.unmoved])
        detail = (
            f"of {classes} in the last minutes: the clock of a service below them is off by more "
            f"than attribution.skew_max_s ({skew_max_s:g} s), so its spans are left out and its "
            f"time counts as network; flag skew_too_large, as decision {senders.unmoved[0].example}"
        )
        decisions = sum(each.decisions for each in senders.unmoved)
        yield health_item("senders.skew_too_large", decisions, "decisions", warn=detail)

    for each in senders.misspelt:
        detail = (
            f"spans of {each.service} carry {each.name}, which nobody reads: did you mean "
            f"{each.ours}? As trace {each.example}; docs/use/attributes.md lists what is read"
        )
        name = f"senders.attribute.{each.service}.{each.name}"
        yield health_item(name, each.spans, "spans", warn=detail)


def _misspelt(service: str, name: str, spans: int, example: str) -> Misspelt | None:
    """Return an attribute with that of ours it is nearly, None where it is like none of them."""
    near = difflib.get_close_matches(name.lower(), _OURS, n=1, cutoff=_ALIKE)
    return Misspelt(service, name, near[0], spans, example) if near else None


def _named(names: list[str]) -> str:
    more = len(names) - _NAMED_MAX
    return ", ".join(names[:_NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
