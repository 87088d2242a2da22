"""I/O: whose clock is off, told by when spans ended and when they came, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from clickhouse_connect.driver.client import Client

from collector.core.sql import sql
from collector.core.times import NS_PER_MINUTE, NS_PER_S
from dashboard.health.items import HealthItem, health_item
from dashboard.units import named

_CLOCKS: Final = sql("sender_clocks", __file__)
_UNMOVED: Final = sql("unmoved_spans", __file__)
# Nothing ends after it came, and clocks under NTP are not so far off.
_AHEAD_NS: Final = 2 * NS_PER_S
# Exporters send every few seconds. What was held back comes at once, and a file does, or differs by
# as much as it is long; a clock that is behind stays so, evenly.
_BEHIND_NS, _LASTING_NS = 20 * NS_PER_S, NS_PER_MINUTE
_APART_NS, _TIMES_MIN = 10 * NS_PER_S, 4
# A clock that runs faster or slower than ours by more than this is none: it is a file.
_DRIFT_MAX: Final = 0.1
_SPANS_MIN: Final = 30
NAMED_MAX: Final = 3


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


def off_clocks(client: Client, after_ns: int) -> dict[str, list[OffClock]]:
    """Return the clocks that are off by service, the furthest first, of spans received since."""
    parameters = {
        "after_ns": after_ns,
        "spans_min": _SPANS_MIN,
        "ahead_ns": _AHEAD_NS,
        "behind_ns": _BEHIND_NS,
        "lasting_ns": _LASTING_NS,
        "apart_ns": _APART_NS,
        "times_min": _TIMES_MIN,
        "drift_max": _DRIFT_MAX,
    }
    found: dict[str, list[OffClock]] = {}
    for service, host, behind_ns in client.query(_CLOCKS, parameters=parameters).result_rows:
        clock = OffClock(str(service), str(host), round(-int(behind_ns) / NS_PER_S, 1))
        found.setdefault(clock.service, []).append(clock)
    return found


def unshifted_classes(client: Client, after_ns: int) -> list[UnshiftedClass]:
    """Return the classes of decisions received since that have spans which no shift puts right."""
    rows = client.query(_UNMOVED, parameters={"after_ns": after_ns}).result_rows
    return [UnshiftedClass(str(a), str(r), int(n), str(e)) for a, r, n, e in rows]


def clock_items(
    off: dict[str, list[OffClock]], unmoved: list[UnshiftedClass], skew_max_s: float
) -> Iterator[HealthItem]:
    """Yield each service whose clock is off, and the decisions whose spans could not be put right.

    Args:
        off: clocks by service, the furthest first.
        unmoved: classes of those decisions.
        skew_max_s: by how much spans are moved at most.
    """
    for service, clocks in off.items():
        ahead_s = clocks[0].ahead_s
        hosts = named([each.host for each in clocks if each.host], NAMED_MAX)
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
    if unmoved:
        classes = named([f"{each.action}/{each.region}" for each in unmoved], NAMED_MAX)
        detail = (
            f"of {classes} in the last minutes: the clock of a service below them is off by more "
            f"than attribution.skew_max_s ({skew_max_s:g} s), so its spans are left out and its "
            f"time counts as network; flag skew_too_large, as decision {unmoved[0].example}"
        )
        decisions = sum(each.decisions for each in unmoved)
        yield health_item("senders.skew_too_large", decisions, "decisions", warn=detail)
