"""I/O: the alerts that fire, in the alert state, and those that Alertmanagers know of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from alerts.rows import AlertEvent, event_from_json
from alerts.state.sqlite import AlertStore
from alerts.state.subject import Subject
from alerts.state.transitions import ACTIVE_PHASES

_OPEN = """
SELECT states.episode_id, states.started_ns, events.row
FROM states JOIN events USING (episode_id)
WHERE states.phase IN (?, ?)
    AND events.seq = (SELECT max(seq) FROM events AS e WHERE e.episode_id = states.episode_id)
"""
_UNJUDGED = """
SELECT events.row FROM states JOIN events USING (episode_id)
WHERE states.is_unknown AND states.phase NOT IN (?, ?)
    AND events.seq = (SELECT max(seq) FROM events AS e WHERE e.episode_id = states.episode_id)
"""


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """One alert that fires, cooling and unknown included, and its latest event."""

    episode_id: str
    started_ns: int
    last: AlertEvent


@dataclass(frozen=True, slots=True)
class Routed:
    """One alert that was sent to Alertmanagers."""

    episode_id: str
    labels: dict[str, str]
    ended_ns: int | None  # the end that they were sent; None while it fires there
    closed_ns: int | None  # when that was decided


def open_alerts(alert_state: AlertStore) -> list[OpenAlert]:
    """Return every alert that fires, the oldest first."""
    rows = alert_state.rows(_OPEN, ACTIVE_PHASES)
    found = [OpenAlert(row[0], row[1], event_from_json(row[2])) for row in rows]
    return sorted(found, key=lambda alert: (alert.started_ns, alert.episode_id))


def unjudged(alert_state: AlertStore) -> list[AlertEvent]:
    """Return the latest event of what did not fire when its data stopped."""
    return [event_from_json(row[0]) for row in alert_state.rows(_UNJUDGED, ACTIVE_PHASES)]


def fires(alert_state: AlertStore, rule: str, subject: Subject) -> bool:
    """Return whether an alert of a rule on a subject fires, cooling and unknown included."""
    query = "SELECT phase FROM states WHERE rule = ? AND action = ? AND region = ?"
    rows = alert_state.rows(query, (rule, subject.action, subject.region))
    return any(row[0] in ACTIVE_PHASES for row in rows)


class RoutedAlerts:
    """The table `routed`."""

    def __init__(self, alert_state: AlertStore) -> None:
        self._alert_state = alert_state

    def all(self) -> dict[str, Routed]:
        """Return every one by its episode."""
        rows = self._alert_state.rows("SELECT episode_id, labels, ended_ns, closed_ns FROM routed")
        return {row[0]: Routed(row[0], json.loads(row[1]), row[2], row[3]) for row in rows}

    def begin(self, episode_id: str, labels: Mapping[str, str]) -> None:
        """Note that an alert fires there; one that was ended there fires again, as it was."""
        with self._alert_state.transaction() as db:
            db.execute(
                "INSERT INTO routed VALUES (?, ?, NULL, NULL) ON CONFLICT (episode_id)"
                " DO UPDATE SET ended_ns = NULL, closed_ns = NULL",
                (episode_id, json.dumps(labels)),
            )

    def end(self, episode_id: str, ended_ns: int, now_ns: int) -> None:
        """Note the end that they are sent from now on."""
        with self._alert_state.transaction() as db:
            db.execute(
                "UPDATE routed SET ended_ns = ?, closed_ns = ? WHERE episode_id = ?",
                (ended_ns, now_ns, episode_id),
            )

    def forget(self, before_ns: int) -> None:
        """Drop those whose end was decided before an instant and that fire no more."""
        with self._alert_state.transaction() as db:
            db.execute("DELETE FROM routed WHERE closed_ns < ?", (before_ns,))
