"""I/O: the alerts that are held back, in the alert state: why, and when they are told of."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import astuple, dataclass
from typing import Final

from alerts.state.sqlite import AlertStore
from collector.core.clock import NS_PER_S

# A pass is every five seconds: after a minute without one there is no store to read.
_OVERDUE_NS: Final = 60 * NS_PER_S
_WRITE: Final = """
INSERT INTO held VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (episode_id) DO UPDATE
SET is_hidden = excluded.is_hidden, reason = excluded.reason, looked_ns = excluded.looked_ns,
    from_ns = excluded.from_ns, ready_ns = excluded.ready_ns, grace_ns = excluded.grace_ns
"""


@dataclass(frozen=True, slots=True)
class Held:
    """One alert that fires and goes to nobody."""

    episode_id: str
    is_hidden: bool  # False: what hid it has ended
    reason: str  # what hides it, or did last
    since_ns: int
    looked_ns: int  # the last pass that could judge it
    from_ns: int  # what it lost before, narrower alerts told of; 0 where none explained it
    ready_ns: int = 0  # since when nothing hides it and it burns, 0 where it is not so
    grace_ns: int = 0  # it is told of after that: another alert may explain it meanwhile

    def is_due(self, now_ns: int) -> bool:
        """Return whether a pass tells of it now."""
        return self.ready_ns > 0 and now_ns >= self.ready_ns + self.grace_ns

    def is_overdue(self, now_ns: int) -> bool:
        """Return whether no pass could judge it for a minute: it is not kept back for that."""
        return now_ns >= self.looked_ns + _OVERDUE_NS


class HeldAlerts:
    """The table `held`; a row leaves it with what is told (`AlertStore.record`)."""

    def __init__(self, memory: AlertStore) -> None:
        self._memory = memory

    def all(self) -> dict[str, Held]:
        """Return every one by its episode."""
        rows = self._memory.rows("SELECT * FROM held")
        return {row[0]: _held(*row) for row in rows}

    def of(self, episode_id: str) -> Held | None:
        """Return what is known of one alert, None where it is not held back."""
        rows = self._memory.rows("SELECT * FROM held WHERE episode_id = ?", (episode_id,))
        return _held(*rows[0]) if rows else None

    def write(self, held: Collection[Held], over: Collection[str] = ()) -> None:
        """Write what a pass found, and drop the alerts that are over."""
        if not held and not over:
            return
        with self._memory.transaction() as db:
            db.executemany(_WRITE, [astuple(each) for each in held])
            db.executemany("DELETE FROM held WHERE episode_id = ?", [(each,) for each in over])


def _held(episode_id: str, is_hidden: int, reason: str, *ns: int) -> Held:
    return Held(episode_id, bool(is_hidden), reason, *ns)
