"""Pure: what the panels of the Overview share of one reading of alerts, as a browser keeps it.

A browser's numbers end at 2**53, so instants are texts there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from collector.core.errors import InputError
from collector.core.times import NS_PER_S
from dashboard.read.alerts.rows import OPEN_STATES, AlertRow
from dashboard.read.alerts.wording import cause_of


@dataclass(frozen=True, slots=True)
class Incident:
    """One alert, as far as the path and the bands need it."""

    episode_id: str
    cause: str
    action: str  # of the decisions, "" for all of them
    region: str
    is_about_decisions: bool
    is_open: bool
    is_band: bool  # it fired
    blamed: tuple[str, str]
    since_ns: int
    from_ns: int  # of the decisions that show it
    until_ns: int  # 0 while it is open


@dataclass(frozen=True, slots=True)
class TopReading:
    """One reading: its instant, when its decisions began, and its alerts, the dearest first."""

    to_ns: int
    first_ns: int
    alerts: tuple[Incident, ...]

    @property
    def dearest(self) -> Incident | None:
        """Return the dearest alert on decisions that is open, None without any."""
        wanted = (each for each in self.alerts if each.is_about_decisions and each.is_open)
        return next(wanted, None)

    def picked(self, episode_id: str) -> Incident | None:
        """Return an alert on decisions by its id, None where it is not here."""
        found = (each for each in self.alerts if each.episode_id == episode_id)
        return next((each for each in found if each.is_about_decisions), None)


def top_of(alerts: Sequence[AlertRow], to_ns: int, first_ns: int) -> TopReading:
    """Return what the other panels need of a reading."""
    return TopReading(to_ns, first_ns, tuple(_incident(alert) for alert in alerts))


def to_json(top: TopReading) -> dict[str, Any]:
    """Return it as the browser keeps it."""
    return {
        "to_ns": str(top.to_ns),
        "first_ns": str(top.first_ns),
        "alerts": [
            [
                each.episode_id, each.cause, each.action, each.region,
                each.is_about_decisions, each.is_open, each.is_band, list(each.blamed),
                str(each.since_ns), str(each.from_ns), str(each.until_ns),
            ]
            for each in top.alerts
        ],
    }  # fmt: skip


def from_json(kept: Mapping[str, Any]) -> TopReading:
    """Return what `to_json` wrote; a browser may send anything.

    Raises:
        InputError: it is not that.
    """
    try:
        alerts = tuple(map(_kept, kept["alerts"]))
        return TopReading(int(kept["to_ns"]), int(kept["first_ns"]), alerts)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise InputError(f"not what the Overview keeps ({error}); reload the page") from error


def _kept(row: Sequence[Any]) -> Incident:
    episode_id, cause, action, region = (str(text) for text in row[:4])
    is_about_decisions, is_open, is_band = (bool(flag) for flag in row[4:7])
    since_ns, from_ns, until_ns = (int(text) for text in row[8:11])
    return Incident(
        episode_id=episode_id,
        cause=cause,
        action=action,
        region=region,
        is_about_decisions=is_about_decisions,
        is_open=is_open,
        is_band=is_band,
        blamed=(str(row[7][0]), str(row[7][1])),
        since_ns=since_ns,
        from_ns=from_ns,
        until_ns=until_ns,
    )


def _incident(alert: AlertRow) -> Incident:
    since_ns = alert.started_ns or alert.first_ns
    is_open = alert.state in OPEN_STATES
    action, region = alert.scope
    return Incident(
        episode_id=alert.episode_id,
        cause=cause_of(alert),
        action=action,
        region=region,
        is_about_decisions=alert.is_about_decisions,
        is_open=is_open and alert.state != "unknown",
        is_band=bool(alert.started_ns) and not alert.is_shadow and alert.state != "unknown",
        blamed=(alert.blamed_stage, alert.blamed_class),
        since_ns=since_ns,
        # From when the alert began, so that the time before it does not dilute it.
        from_ns=max(0, since_ns - alert.window_s * NS_PER_S // 2),
        until_ns=0 if is_open else alert.at_ns,
    )
