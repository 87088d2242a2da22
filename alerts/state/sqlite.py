"""I/O: the state of alerts in one SQLite file, which works while the store of spans does not.

A state, its transition, and the messages and the capture that follow from it are one transaction:
after a kill at any instant either all of them are there or none.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Self

from alerts.rows import (
    AlertEvent,
    CaptureRequest,
    Message,
    Owned,
    capture_from_json,
    event_from_json,
    to_json,
)
from alerts.state.proposal import proposal_from_json
from alerts.state.retry import DeliveryStatus
from alerts.state.schema import is_made, open_state
from alerts.state.subject import Subject
from alerts.state.transitions import FIRED, AlertState, Phase

# Messages of one endpoint that may wait: at 20 kB each, 20 MB. What comes on top is kept as dead.
PENDING_MAX = 1_000

_WRITE_STATE = "INSERT OR REPLACE INTO states VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_WRITE_DELIVERY = "INSERT OR IGNORE INTO deliveries VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, 0, 0)"
_WRITE_OWNED = "INSERT INTO owned VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
# What was kept back is as old as what it says now: days of silence are no days of trying.
_RELEASE = """
UPDATE deliveries SET body = ?, status = 'pending', due_ns = ?, created_ns = ?, detail = ?,
    edition = edition + (tried_ns > 0)
WHERE episode_id = ? AND kind = ? AND status IN ('held', 'pending')
"""


@dataclass(frozen=True, slots=True)
class Update:
    """The state of one subject after an evaluation, and what follows from its transition."""

    state: AlertState
    event: AlertEvent | None = None
    messages: tuple[Message, ...] = ()
    capture: CaptureRequest | None = None
    is_over: bool = False  # nothing evaluates this subject any more: its state is dropped
    released_body: bytes | None = None  # what the message that was held back says now


@dataclass(frozen=True, slots=True)
class Backlog:
    """The deliveries by status, and the rows that are not in the store yet."""

    deliveries: dict[str, int]  # by status
    unmirrored: int  # rows that `alert_events` or `capture_requests` does not have yet


class AlertStore:
    """The file, open; safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._db = open_state(path)

    @classmethod
    def there(cls, path: Path) -> Self | None:
        """Open a file that is there; None where this machine has none, or it is being made."""
        return cls(path) if path.exists() and is_made(path) else None

    def states(self) -> dict[tuple[str, Subject], AlertState]:
        """Return every state by rule and subject."""
        with self._lock:
            rows = self._db.execute("SELECT * FROM states").fetchall()
        return {(row[0], Subject(row[1], row[2])): _state(row) for row in rows}

    def record(
        self,
        updates: Sequence[Update],
        end_ns: int = 0,
        known_ns: int = 0,
        owned: Sequence[Owned] | None = None,
        now_ns: int = 0,
    ) -> None:
        """Write the updates of one pass, and all that follows from them, all or nothing.

        Args:
            updates: of all subjects.
            end_ns: of the windows of the pass, which a replay repeats; 0 where it is none.
            known_ns: everything older had arrived.
            owned: what each alert that fires owns; None: not known anew.
            now_ns: the time, of updates that tell of what was held back.
        """
        with self.transaction() as db:
            if end_ns:
                db.execute("INSERT OR IGNORE INTO passes VALUES (?, ?)", (end_ns, known_ns))
            if owned is not None:
                _write_owned(db, owned)
            for update in updates:
                if update.is_over:
                    _drop_state(db, update.state)
                else:
                    db.execute(_WRITE_STATE, _state_row(update.state))
                if update.event is not None:
                    _write_event(db, update.event)
                    for message in update.messages:
                        _enqueue(db, message, update.event.recorded_ns)
                if update.capture is not None:
                    _write_capture(db, update.capture)
                if update.released_body is not None:
                    _release(db, update.state.episode_id, update.released_body, now_ns)

    def prune(self, before_ns: int) -> None:
        """Delete what ended before an instant; the store has the events."""
        with self.transaction() as db:
            db.execute("DELETE FROM events WHERE is_mirrored = 1 AND at_ns < ?", (before_ns,))
            db.execute("DELETE FROM captures WHERE is_mirrored = 1 AND at_ns < ?", (before_ns,))
            db.execute("DELETE FROM passes WHERE end_ns < ?", (before_ns,))
            db.execute("DELETE FROM notes WHERE at_ns < ?", (before_ns,))
            db.execute("DELETE FROM silences WHERE ends_ns < ?", (before_ns,))
            db.execute("DELETE FROM acts WHERE is_audited = 1 AND at_ns < ?", (before_ns,))
            db.execute(
                "DELETE FROM deliveries WHERE status != 'pending' AND created_ns < ?", (before_ns,)
            )

    def passes(self, from_ns: int, to_ns: int) -> list[tuple[int, int]]:
        """Return the ends of the windows of the passes in [from, to), and what was known then."""
        query = "SELECT end_ns, known_ns FROM passes WHERE end_ns >= ? AND end_ns < ? ORDER BY 1, 2"
        return self.rows(query, (from_ns, to_ns))

    def events_of(self, rule: str, since_ns: int) -> list[AlertEvent]:
        """Return the events of a rule since an instant, in order."""
        query = (
            "SELECT row FROM events WHERE at_ns >= ? AND json_extract(row, '$.rule') = ?"
            " ORDER BY at_ns, seq"
        )
        return [event_from_json(row[0]) for row in self.rows(query, (since_ns, rule))]

    def last_event(self, episode_id: str) -> AlertEvent | None:
        """Return the latest event of an episode, None where it has none."""
        with self._lock:
            row = self._db.execute(
                "SELECT row FROM events WHERE episode_id = ? ORDER BY seq DESC LIMIT 1",
                (episode_id,),
            ).fetchone()
        return None if row is None else event_from_json(row[0])

    def events(self, episode_id: str) -> list[AlertEvent]:
        """Return the events of an episode, in order."""
        with self._lock:
            rows = self._db.execute(
                "SELECT row FROM events WHERE episode_id = ? ORDER BY seq", (episode_id,)
            ).fetchall()
        return [event_from_json(row[0]) for row in rows]

    def evidence_of(self, episode_id: str) -> tuple[int, Subject] | None:
        """Return the event of an episode whose evidence was kept last, by its number, and the class
        of decisions that it is of; None where none was.
        """
        query = (
            "SELECT row FROM captures WHERE trigger_id > ?1 || '/' AND trigger_id < ?1 || '0'"
            " ORDER BY at_ns DESC LIMIT 1"
        )
        rows = self.rows(query, (episode_id,))
        if not rows:
            return None
        kept = capture_from_json(rows[0][0])
        return int(kept.trigger_id.rpartition("/")[2]), Subject(kept.action, kept.region)

    def unmirrored_events(self, limit: int) -> list[AlertEvent]:
        """Return events that are not known to be in `alert_events`, oldest first."""
        return [event_from_json(text) for text in self._unmirrored("events", limit)]

    def unmirrored_captures(self, limit: int) -> list[CaptureRequest]:
        """Return requests that are not known to be in `capture_requests`, oldest first."""
        return [capture_from_json(text) for text in self._unmirrored("captures", limit)]

    def mark_events_mirrored(self, events: Sequence[AlertEvent]) -> None:
        """Note that the store has these."""
        with self.transaction() as db:
            db.executemany(
                "UPDATE events SET is_mirrored = 1 WHERE episode_id = ? AND seq = ?",
                [(event.episode_id, event.seq) for event in events],
            )

    def mark_captures_mirrored(self, captures: Sequence[CaptureRequest]) -> None:
        """Note that the store has these."""
        with self.transaction() as db:
            db.executemany(
                "UPDATE captures SET is_mirrored = 1 WHERE trigger_id = ?",
                [(capture.trigger_id,) for capture in captures],
            )

    def backlog(self) -> Backlog:
        """Count what is done and what is left."""
        with self._lock:
            deliveries = self._db.execute(
                "SELECT status, count(*) FROM deliveries GROUP BY status"
            ).fetchall()
            (unmirrored,) = self._db.execute(
                "SELECT (SELECT count(*) FROM events WHERE is_mirrored = 0)"
                " + (SELECT count(*) FROM captures WHERE is_mirrored = 0)"
            ).fetchone()
        return Backlog(dict(deliveries), unmirrored)

    def rows(self, query: str, parameters: Sequence[object] = ()) -> list[Any]:
        """Return the rows of a query that changes nothing."""
        with self._lock:
            return self._db.execute(query, parameters).fetchall()

    def close(self) -> None:
        """Close the file; all that was recorded is on disk."""
        with self._lock:
            self._db.close()

    def _unmirrored(self, table: str, limit: int) -> list[str]:
        query = {
            "events": "SELECT row FROM events WHERE is_mirrored = 0 ORDER BY at_ns, seq LIMIT ?",
            "captures": "SELECT row FROM captures WHERE is_mirrored = 0 ORDER BY at_ns LIMIT ?",
        }[table]
        with self._lock:
            return [row[0] for row in self._db.execute(query, (limit,)).fetchall()]

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Yield the file for changes that are made all or nothing."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")


def _drop_state(db: sqlite3.Connection, state: AlertState) -> None:
    subject = state.subject
    db.execute(
        "DELETE FROM states WHERE rule = ? AND action = ? AND region = ?",
        (state.rule, subject.action, subject.region),
    )


def _write_event(db: sqlite3.Connection, event: AlertEvent) -> None:
    db.execute(
        "INSERT OR IGNORE INTO events (episode_id, seq, at_ns, row) VALUES (?, ?, ?, ?)",
        (event.episode_id, event.seq, event.at_ns, to_json(event)),
    )


def _write_capture(db: sqlite3.Connection, capture: CaptureRequest) -> None:
    db.execute(
        "INSERT OR IGNORE INTO captures (trigger_id, at_ns, row) VALUES (?, ?, ?)",
        (capture.trigger_id, capture.at_ns, to_json(capture)),
    )


def _release(db: sqlite3.Connection, episode_id: str, body: bytes, now_ns: int) -> None:
    values = (body, now_ns, now_ns, "it was held back", episode_id, FIRED)
    db.execute(_RELEASE, values)
    db.execute("DELETE FROM held WHERE episode_id = ?", (episode_id,))


def _write_owned(db: sqlite3.Connection, owned: Sequence[Owned]) -> None:
    db.execute("DELETE FROM owned")
    for row in owned:
        money = [str(each) for of in (row.lost, row.at_risk) for each in astuple(of)]
        values = (row.episode_id, row.at_ns, row.since_ns, *money, row.explained_by)
        db.execute(_WRITE_OWNED, values)


def _enqueue(db: sqlite3.Connection, message: Message, now_ns: int) -> None:
    (waiting,) = db.execute(
        "SELECT count(*) FROM deliveries WHERE endpoint = ? AND status = 'pending'",
        (message.endpoint,),
    ).fetchone()
    is_full = waiting >= PENDING_MAX
    db.execute(
        _WRITE_DELIVERY,
        (
            message.webhook_id,
            message.endpoint,
            message.episode_id,
            message.seq,
            message.kind,
            message.body,
            DeliveryStatus.DEAD if is_full else DeliveryStatus.PENDING,
            now_ns,
            now_ns,
            f"{PENDING_MAX} messages were waiting already" if is_full else "",
        ),
    )


def _state_row(state: AlertState) -> tuple[str | int, ...]:
    subject = state.subject
    return (
        state.rule,
        subject.action,
        subject.region,
        state.phase,
        int(state.is_unknown),
        state.held_ns,
        state.judged_ns,
        state.data_ns,
        state.episodes,
        state.episode_id,
        state.seq,
        state.started_ns,
        state.ended_ns,
        "" if state.proposal is None else state.proposal.to_json(),
    )


def _state(row: tuple[str | int, ...]) -> AlertState:
    rule, action, region, phase, is_unknown, *numbers, proposal = row
    held_ns, judged_ns, data_ns, episodes, episode_id, seq, started_ns, ended_ns = numbers
    return AlertState(
        rule=str(rule),
        subject=Subject(str(action), str(region)),
        phase=Phase(str(phase)),
        is_unknown=bool(is_unknown),
        held_ns=int(held_ns),
        judged_ns=int(judged_ns),
        data_ns=int(data_ns),
        episodes=int(episodes),
        episode_id=str(episode_id),
        seq=int(seq),
        started_ns=int(started_ns),
        ended_ns=int(ended_ns),
        proposal=proposal_from_json(str(proposal)),
    )
