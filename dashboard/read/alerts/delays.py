"""I/O: the experiments that delayed, on purpose, what an alert is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from collector.core.times import NS_PER_HOUR, NS_PER_MS, NS_PER_S
from dashboard.read.alerts.rows import AlertRow
from dashboard.read.reader import Reader
from dashboard.units import count

# An alert may fire for days, and its page is read every few seconds.
_NEWEST_NS: Final = NS_PER_HOUR


@dataclass(frozen=True, slots=True)
class InjectedDelay:
    """What an experiment did to the decisions of an alert, those of its newest hour."""

    experiment: str  # "" where the decisions name none
    owner: str  # "" of one that is not registered
    delayed: int  # decisions
    decisions: int  # all of them
    delay_ns_max: int


def injected_delays(reader: Reader, alert: AlertRow, until_ns: int) -> list[InjectedDelay]:
    """Return those that delayed decisions of an alert, or of its window before it; most first.

    Args:
        reader: of the store.
        alert: whose class and time they are of.
        until_ns: the last instant that counts.

    Raises:
        StoreUnavailableError: the store is away.
    """
    if not alert.is_about_decisions:
        return []
    from_ns = (alert.started_ns or alert.first_ns) - alert.window_s * NS_PER_S
    action, region = alert.scope
    asked = {
        "from_ns": max(from_ns, until_ns - _NEWEST_NS, 0),
        "to_ns": until_ns + 1,
        "action": action,
        "region": region,
    }
    return [InjectedDelay(**row) for row in reader.ask("delays", __file__, asked)]


def delays_text(delays: Sequence[InjectedDelay]) -> str:
    """Return them in words, "" of none."""
    return "; ".join(
        f"{count(each.delayed)} of {count(each.decisions)} decisions, by up to "
        f"{each.delay_ns_max / NS_PER_MS:g} ms, by experiment {each.experiment or 'without a name'}"
        + (f" of {each.owner}" if each.owner else "")
        for each in delays
    )
