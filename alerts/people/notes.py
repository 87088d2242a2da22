"""I/O: what people say about alerts, in the alert state: acknowledged, and was it worth it?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from alerts.state.acts import Act, note_act
from alerts.state.sqlite import AlertStore
from collector.core.errors import InputError, NotFoundError
from collector.core.times import NS_PER_DAY

ACK, COMMENT = "ack", "comment"
NOTES_MAX: Final = 200  # of one episode
_RATED_NS: Final = 30 * NS_PER_DAY

_ADD: Final = """
INSERT INTO notes (episode_id, kind, actor, at_ns, text, is_actionable) VALUES (?, ?, ?, ?, ?, ?)
"""
_OF: Final = """
SELECT episode_id, kind, actor, at_ns, text, is_actionable FROM notes
WHERE episode_id IN (SELECT value FROM json_each(?)) ORDER BY id
"""
_ANSWERS: Final = """
SELECT sum(is_actionable), count(*) FROM notes AS n
WHERE is_actionable IS NOT NULL AND at_ns >= ? AND id = (
    SELECT max(id) FROM notes AS m
    WHERE m.episode_id = n.episode_id AND m.is_actionable IS NOT NULL
)
"""


@dataclass(frozen=True, slots=True)
class Note:
    """One acknowledgement or comment."""

    episode_id: str
    kind: str  # ack or comment
    actor: str
    at_ns: int
    text: str
    is_actionable: bool | None  # whether there was something to do; None: not said


class Notes:
    """The table `notes`; safe to use from several threads."""

    def __init__(self, alert_state: AlertStore) -> None:
        self._alert_state = alert_state

    def add(
        self, episode_id: str, kind: str, act: Act, text: str, is_actionable: bool | None = None
    ) -> Note:
        """Write a note, and note who did. Raises InputError where there is no such alert."""
        if self._alert_state.last_event(episode_id) is None:
            raise NotFoundError(
                f"no alert has the episode {episode_id[:60]!r}; see `millworth alerts list`"
            )
        with self._alert_state.transaction() as db:
            (count,) = db.execute(
                "SELECT count(*) FROM notes WHERE episode_id = ?", (episode_id,)
            ).fetchone()
            if count >= NOTES_MAX:
                raise InputError(f"episode {episode_id} has {count} notes already; that is enough")
            db.execute(_ADD, (episode_id, kind, act.actor, act.at_ns, text, is_actionable))
            action = "alert_acknowledged" if kind == ACK else "alert_commented"
            detail = {"episode_id": episode_id, "text": text, "is_actionable": is_actionable}
            note_act(db, act, action, detail)
        return Note(episode_id, kind, act.actor, act.at_ns, text, is_actionable)

    def of(self, episode_ids: Sequence[str]) -> dict[str, list[Note]]:
        """Return the notes of episodes, in order; an episode without any is left out."""
        rows = self._alert_state.rows(_OF, (json.dumps(list(episode_ids)),))
        found: dict[str, list[Note]] = {}
        for episode_id, kind, actor, at_ns, text, answer in rows:
            is_actionable = None if answer is None else bool(answer)
            note = Note(episode_id, kind, actor, at_ns, text, is_actionable)
            found.setdefault(episode_id, []).append(note)
        return found

    def actionable_ratio(self, now_ns: int) -> float | None:
        """Return the share of alerts with something to do, None without an answer in 30 days.

        Of each alert the last answer counts.
        """
        [(useful, answered)] = self._alert_state.rows(_ANSWERS, (now_ns - _RATED_NS,))
        return useful / answered if answered else None


def ack_of(notes: Sequence[Note]) -> Note | None:
    """Return the last acknowledgement among notes."""
    return next((note for note in reversed(notes) if note.kind == ACK), None)
