"""I/O: the alerts that Alertmanagers know, in the alert state: their labels, and their ends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from alerts.rows import AlertEvent, event_from_json
from alerts.state.sqlite import AlertStore
from alerts.state.subject import Subject
from alerts.state.transitions import ALIGHT, FIRED

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


def open_alerts(memory: AlertStore) -> list[OpenAlert]:
    """Return every alert that fires, the oldest first."""
    rows = memory.rows(_OPEN, ALIGHT)
    found = [OpenAlert(row[0], row[1], event_from_json(row[2])) for row in rows]
    return sorted(found, key=lambda alert: (alert.started_ns, alert.episode_id))


def unjudged(memory: AlertStore) -> list[AlertEvent]:
    """Return the latest event of what did not fire when its data stopped."""
    return [event_from_json(row[0]) for row in memory.rows(_UNJUDGED, ALIGHT)]


def fires(memory: AlertStore, rule: str, subject: Subject) -> bool:
    """Return whether an alert of a rule on a subject fires, cooling and unknown included."""
    query = "SELECT phase FROM states WHERE rule = ? AND action = ? AND region = ?"
    rows = memory.rows(query, (rule, subject.action, subject.region))
    return any(row[0] in ALIGHT for row in rows)


def was_told(memory: AlertStore, episode_id: str) -> bool:
    """Return whether a receiver may know of an alert: what it was told does not change."""
    query = (
        "SELECT 1 FROM deliveries WHERE episode_id = ?1"
        " AND (attempts > 0 OR status NOT IN ('held', 'pending'))"
        " UNION ALL SELECT 1 FROM routed WHERE episode_id = ?1"
    )
    return bool(memory.rows(query, (episode_id,)))


def was_known(memory: AlertStore, episode_id: str, at_ns: int) -> bool:
    """Return whether a receiver knew that an alert fires before it was hidden at an instant."""
    query = (
        "SELECT 1 FROM deliveries WHERE episode_id = ?1 AND kind = ?2 AND tried_ns BETWEEN 1 AND ?3"
        " UNION ALL SELECT 1 FROM routed WHERE episode_id = ?1 AND ended_ns IS NOT NULL"
    )
    return bool(memory.rows(query, (episode_id, FIRED, at_ns)))


def waits_to_be_told(memory: AlertStore, episode_id: str) -> bool:
    """Return whether a message that an alert fires waits, or nobody was told that it does."""
    query = (
        "SELECT 1 FROM deliveries WHERE episode_id = ? AND kind = ?"
        " AND status IN ('held', 'pending')"
    )
    return bool(memory.rows(query, (episode_id, FIRED))) or not was_told(memory, episode_id)


class RoutedAlerts:
    """The table `routed`."""

    def __init__(self, memory: AlertStore) -> None:
        self._memory = memory

    def all(self) -> dict[str, Routed]:
        """Return every one by its episode."""
        rows = self._memory.rows("SELECT episode_id, labels, ended_ns, closed_ns FROM routed")
        return {row[0]: Routed(row[0], json.loads(row[1]), row[2], row[3]) for row in rows}

    def begin(self, episode_id: str, labels: Mapping[str, str]) -> None:
        """Note that an alert fires there; one that was ended there fires again, as it was."""
        with self._memory.transaction() as db:
            db.execute(
                "INSERT INTO routed VALUES (?, ?, NULL, NULL) ON CONFLICT (episode_id)"
                " DO UPDATE SET ended_ns = NULL, closed_ns = NULL",
                (episode_id, json.dumps(labels)),
            )

    def end(self, episode_id: str, ended_ns: int, now_ns: int) -> None:
        """Note the end that they are sent from now on."""
        with self._memory.transaction() as db:
            db.execute(
                "UPDATE routed SET ended_ns = ?, closed_ns = ? WHERE episode_id = ?",
                (ended_ns, now_ns, episode_id),
            )

    def forget(self, before_ns: int) -> None:
        """Drop those whose end was decided before an instant and that fire no more."""
        with self._memory.transaction() as db:
            db.execute("DELETE FROM routed WHERE closed_ns < ?", (before_ns,))
