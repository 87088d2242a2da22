"""I/O: the alerts that are held back, in the alert state: why, until when, and who knows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import astuple, dataclass
from typing import Final

from alerts.state.sqlite import AlertStore
from alerts.state.transitions import FIRED
from collector.core.times import NS_PER_S

# A pass is every five seconds: after a minute without one there is no store to read.
_OVERDUE_NS: Final = 60 * NS_PER_S
_WRITE: Final = """
INSERT INTO held VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (episode_id) DO UPDATE
SET is_hidden = excluded.is_hidden, reason = excluded.reason, looked_ns = excluded.looked_ns,
    from_ns = excluded.from_ns, ready_ns = excluded.ready_ns, grace_ns = excluded.grace_ns
"""


@dataclass(frozen=True, slots=True)
class HeldAlert:
    """One alert that fires and goes to nobody."""

    episode_id: str
    is_hidden: bool  # False: what hid it has ended
    reason: str  # what hides it, or did last
    since_ns: int
    judged_ns: int  # the last pass that could judge it
    from_ns: int  # what it lost before, narrower alerts told of; 0 where none explained it
    ready_ns: int = 0  # since when nothing hides it and it burns, 0 where it is not so
    grace_ns: int = 0  # it is told of after that: another alert may explain it meanwhile

    def is_due(self, now_ns: int) -> bool:
        """Return whether a pass tells of it now; a clock that was set back delays nothing."""
        return self.ready_ns > 0 and abs(now_ns - self.ready_ns) >= self.grace_ns

    def is_overdue(self, now_ns: int) -> bool:
        """Return whether no pass could judge it for a minute: it is not kept back for that."""
        return now_ns >= self.judged_ns + _OVERDUE_NS


class HeldAlerts:
    """The table `held`; a row leaves it with what is told (`AlertStore.record`)."""

    def __init__(self, alert_state: AlertStore) -> None:
        self._alert_state = alert_state

    def all(self) -> dict[str, HeldAlert]:
        """Return every one by its episode."""
        rows = self._alert_state.rows("SELECT * FROM held")
        return {row[0]: _held(*row) for row in rows}

    def of(self, episode_id: str) -> HeldAlert | None:
        """Return what is known of one alert, None where it is not held back."""
        rows = self._alert_state.rows("SELECT * FROM held WHERE episode_id = ?", (episode_id,))
        return _held(*rows[0]) if rows else None

    def write(self, held: Collection[HeldAlert], over: Collection[str] = ()) -> None:
        """Write what a pass found, and drop the alerts that are over."""
        if not held and not over:
            return
        with self._alert_state.transaction() as db:
            db.executemany(_WRITE, [astuple(each) for each in held])
            db.executemany("DELETE FROM held WHERE episode_id = ?", [(each,) for each in over])


def _held(episode_id: str, is_hidden: int, reason: str, *ns: int) -> HeldAlert:
    return HeldAlert(episode_id, bool(is_hidden), reason, *ns)


def may_be_known(alert_state: AlertStore, episode_id: str) -> bool:
    """Return whether a receiver may know of an alert: what it was told does not change."""
    query = (
        "SELECT 1 FROM deliveries WHERE episode_id = ?1"
        " AND (attempts > 0 OR status NOT IN ('held', 'pending'))"
        " UNION ALL SELECT 1 FROM routed WHERE episode_id = ?1"
    )
    return bool(alert_state.rows(query, (episode_id,)))


def was_known_before(alert_state: AlertStore, episode_id: str, at_ns: int) -> bool:
    """Return whether a receiver knew that an alert fires before it was hidden at an instant."""
    query = (
        "SELECT 1 FROM deliveries WHERE episode_id = ?1 AND kind = ?2 AND tried_ns BETWEEN 1 AND ?3"
        " UNION ALL SELECT 1 FROM routed WHERE episode_id = ?1 AND ended_ns IS NOT NULL"
    )
    return bool(alert_state.rows(query, (episode_id, FIRED, at_ns)))


def was_sent(alert_state: AlertStore, episode_id: str) -> bool:
    """Return whether a webhook was sent, or tried, that an alert fires."""
    query = "SELECT 1 FROM deliveries WHERE episode_id = ? AND kind = ? AND attempts > 0"
    return bool(alert_state.rows(query, (episode_id, FIRED)))


def told_without_move(alert_state: AlertStore, episode_id: str) -> bool:
    """Return whether what an endpoint was told last of an alert that fires has no proposal."""
    query = (
        "SELECT 1 FROM deliveries AS told WHERE episode_id = ?1 AND kind = ?2"
        " AND status = 'delivered' AND json_extract(CAST(body AS TEXT), '$.data.reroute') IS NULL"
        " AND seq = (SELECT max(seq) FROM deliveries"
        " WHERE episode_id = ?1 AND kind = ?2 AND endpoint = told.endpoint)"
    )
    return bool(alert_state.rows(query, (episode_id, FIRED)))


def waiting_seq(alert_state: AlertStore, episode_id: str) -> int | None:
    """Return the number of the newest message that an alert fires which waits, None without one."""
    query = (
        "SELECT max(seq) FROM deliveries WHERE episode_id = ? AND kind = ?"
        " AND status IN ('held', 'pending')"
    )
    [(seq,)] = alert_state.rows(query, (episode_id, FIRED))
    return None if seq is None else int(seq)


def is_unannounced(alert_state: AlertStore, episode_id: str) -> bool:
    """Return whether a message that an alert fires waits, or nobody was told that it does."""
    query = (
        "SELECT 1 FROM deliveries WHERE episode_id = ? AND kind = ?"
        " AND status IN ('held', 'pending')"
    )
    return bool(alert_state.rows(query, (episode_id, FIRED))) or not may_be_known(
        alert_state, episode_id
    )
