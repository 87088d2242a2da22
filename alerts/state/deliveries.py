"""I/O: the outbox in the alert state: what waits for whom, in order, and what was given up."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from alerts.rows import Message
from alerts.state.acts import Act, note_act
from alerts.state.retry import GIVE_UP_NS, DeliveryStatus, Rest, Step
from alerts.state.sqlite import AlertStore
from alerts.state.transitions import FIRED

# In the order in which messages were put in. One that stands aside holds up its own episode alone:
# a resolve must not overtake the alert that it ends.
_NEXT = """
SELECT webhook_id, endpoint, episode_id, seq, kind, body, attempts, created_ns, edition
FROM deliveries AS d
WHERE status = 'pending' AND endpoint = ? AND due_ns <= ? AND NOT EXISTS (
    SELECT 1 FROM deliveries AS earlier
    WHERE earlier.endpoint = d.endpoint AND earlier.episode_id = d.episode_id
        AND earlier.seq < d.seq AND earlier.status = 'pending'
)
ORDER BY rowid LIMIT 1
"""
_UNSEEN_ENDS = """
SELECT webhook_id, endpoint, episode_id, seq, kind, body, attempts, created_ns, edition
FROM deliveries AS d
WHERE status = 'pending' AND kind != ? AND EXISTS (
    SELECT 1 FROM deliveries AS earlier
    WHERE earlier.endpoint = d.endpoint AND earlier.episode_id = d.episode_id
        AND earlier.seq < d.seq AND earlier.status IN ('held', 'silenced')
)
ORDER BY rowid
"""
# What an endpoint knows of is not held back: whoever acts on it has to hear how it goes on.
_WAITING = """
SELECT webhook_id FROM deliveries AS d
WHERE status = 'pending' AND episode_id = ? AND kind = ? AND NOT EXISTS (
    SELECT 1 FROM deliveries AS earlier
    WHERE earlier.endpoint = d.endpoint AND earlier.episode_id = d.episode_id
        AND earlier.status = 'delivered'
)
"""
_IS_KNOWN = """
SELECT 1 FROM deliveries WHERE endpoint = ? AND episode_id = ? AND status = 'delivered'
"""
# A later message that an alert fires says more, and what is true by now.
_SUPERSEDED = """
SELECT 1 FROM deliveries AS later JOIN deliveries AS d
    ON later.endpoint = d.endpoint AND later.episode_id = d.episode_id
    AND later.kind = d.kind AND later.seq > d.seq
WHERE d.webhook_id = ? AND later.status = 'pending'
"""
_LETTERS = """
SELECT webhook_id, endpoint, episode_id, seq, kind, status, attempts, created_ns, detail
FROM deliveries WHERE status IN ('dead', 'disabled') ORDER BY rowid LIMIT ?
"""
_OF_EPISODE = """
SELECT endpoint, seq, kind, status, attempts, created_ns, tried_ns, detail, body FROM deliveries
WHERE episode_id = ? ORDER BY created_ns DESC, rowid DESC LIMIT ?
"""
# Of a receiver that failed last, with the message that it was tried with last.
_RESTS = """
SELECT c.endpoint, c.failures, c.rests_until_ns, d.tried_ns, d.detail
FROM circuits AS c JOIN deliveries AS d ON d.endpoint = c.endpoint
    AND d.tried_ns = (SELECT max(tried_ns) FROM deliveries WHERE endpoint = c.endpoint)
ORDER BY d.rowid DESC
"""
# What the receiver was sent of the same episode later makes an earlier message untrue.
_OVERTAKEN = """
SELECT 1 FROM deliveries AS later JOIN deliveries AS d
    ON later.endpoint = d.endpoint AND later.episode_id = d.episode_id AND later.seq > d.seq
WHERE d.webhook_id = ? AND later.status = 'delivered'
"""
_BEFORE = """
SELECT webhook_id, status, tried_ns FROM deliveries
WHERE endpoint = ? AND episode_id = ? AND seq < ?
"""
_CHANGE = """
UPDATE deliveries SET body = ?, edition = edition + (tried_ns > 0) WHERE webhook_id = ?
"""
_SET = "UPDATE deliveries SET status = ?, detail = ? WHERE webhook_id = ?"
_AGAIN = """
UPDATE deliveries SET status = 'pending', attempts = 0, due_ns = ?, created_ns = ?, detail = ?
WHERE webhook_id = ?
"""
# Whichever way the clock stepped.
_DUE_NOW = "UPDATE deliveries SET due_ns = 0 WHERE endpoint = ? AND status = 'pending'"
_HOLD = "INSERT OR IGNORE INTO held VALUES (?, 1, ?, ?, ?, 0, 0, 0)"
LETTERS_MAX: Final = 1_000
_DETAIL_MAX: Final = 300


@dataclass(frozen=True, slots=True)
class Due:
    """A message to send now, and the attempts so far."""

    message: Message
    attempts: int
    created_ns: int
    edition: int  # how often its body was changed after an attempt

    @property
    def sent(self) -> Message:
        """Return the message as it is sent: another body is another id, or it would be dropped."""
        number = f"{self.message.webhook_id}-{self.edition + 1}"
        return replace(self.message, webhook_id=number) if self.edition else self.message


@dataclass(frozen=True, slots=True)
class Circuit:
    """How an endpoint fares. The default: it is well."""

    failures: int = 0  # in a row
    rests_until_ns: int = 0


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was given up, or whose receiver answered that it is gone."""

    webhook_id: str
    endpoint: str
    episode_id: str
    seq: int
    kind: str
    status: str  # dead or disabled
    attempts: int
    created_ns: int
    detail: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message of an alert, and how far it came."""

    endpoint: str
    seq: int
    kind: str
    status: str
    attempts: int
    created_ns: int  # when it was written, or written anew
    tried_ns: int  # of the last attempt, 0 before the first
    detail: str  # of the last attempt, "" where nothing is to be said
    body: bytes
    rest: Rest | None = None  # of its receiver, of a message that waits for it


class Deliveries:
    """The tables of the outbox; safe to use from several threads."""

    def __init__(self, alert_state: AlertStore) -> None:
        self._alert_state = alert_state

    def waiting(self) -> list[str]:
        """Return the endpoints for which something waits, configured or not."""
        query = "SELECT DISTINCT endpoint FROM deliveries WHERE status = 'pending'"
        return [row[0] for row in self._alert_state.rows(query)]

    def next(self, endpoint: str, now_ns: int) -> Due | None:
        """Return the message to send next to an endpoint, None where none is due."""
        rows = self._alert_state.rows(_NEXT, (endpoint, now_ns))
        return Due(Message(*rows[0][:6]), *rows[0][6:]) if rows else None

    def settle(self, due: Due, step: Step, url: str, now_ns: int) -> int:
        """Write the result of an attempt: of the message, and of its endpoint at this URL.

        Returns:
            How many messages have the status of the step now: with one that is given up go those
            behind it that are as old.
        """
        message = due.message
        with self._alert_state.transaction() as db:
            db.execute(
                "UPDATE deliveries SET status = ?, due_ns = ?, tried_ns = ?, attempts = ?,"
                " detail = ? WHERE webhook_id = ?",
                (
                    *(step.status, step.due_ns, now_ns, due.attempts + 1, step.detail),
                    message.webhook_id,
                ),
            )
            if step.rests_until_ns == 0:
                db.execute("DELETE FROM circuits WHERE endpoint = ?", (message.endpoint,))
            else:
                _fail(db, message.endpoint, url, step.rests_until_ns)
            if step.status is not DeliveryStatus.DEAD:
                return 1
            return (
                1
                + db.execute(
                    "UPDATE deliveries SET status = 'dead', detail = ?"
                    " WHERE endpoint = ? AND status = 'pending' AND created_ns <= ?",
                    (step.detail, message.endpoint, now_ns - GIVE_UP_NS),
                ).rowcount
            )

    def circuit(self, endpoint: str, url: str) -> Circuit:
        """Return how an endpoint fares; at another URL it is another one."""
        rows = self._alert_state.rows(
            "SELECT failures, rests_until_ns FROM circuits WHERE endpoint = ? AND url = ?",
            (endpoint, url),
        )
        return Circuit(*rows[0]) if rows else Circuit()

    def wake(self, endpoint: str) -> None:
        """Send an endpoint what waits, also what it refused: it took something just now."""
        with self._alert_state.transaction() as db:
            db.execute(_DUE_NOW, (endpoint,))
            db.execute("DELETE FROM circuits WHERE endpoint = ?", (endpoint,))
            db.execute("DELETE FROM disabled_endpoints WHERE endpoint = ?", (endpoint,))

    def last_ns(self) -> int:
        """Return the last time that is written of a message, 0 without any."""
        query = "SELECT max(max(created_ns), max(tried_ns)) FROM deliveries"
        return int(self._alert_state.rows(query)[0][0] or 0)

    def set_back(self, now_ns: int, by_ns: int) -> None:
        """Bring nearer what is to come, by as much as the clock was set back."""
        with self._alert_state.transaction() as db:
            db.execute(
                "UPDATE deliveries SET due_ns = due_ns - ? WHERE status = 'pending' AND due_ns > ?",
                (by_ns, now_ns),
            )
            db.execute(
                "UPDATE circuits SET rests_until_ns = rests_until_ns - ? WHERE rests_until_ns > ?",
                (by_ns, now_ns),
            )

    def hold(self, due: Due, reason: str, now_ns: int) -> None:
        """Keep a message back, because its alert is hidden: the next pass looks after it."""
        message, detail = due.message, reason[:_DETAIL_MAX]
        with self._alert_state.transaction() as db:
            db.execute(_SET, (DeliveryStatus.HELD, detail, message.webhook_id))
            db.execute(_HOLD, (message.episode_id, detail, now_ns, now_ns))

    def hold_all(self, episode_id: str, reason: str, now_ns: int, sending: Collection[str]) -> None:
        """Keep back what no endpoint was sent yet of an alert that is hidden.

        Args:
            episode_id: of the alert.
            reason: why it is hidden.
            now_ns: the time.
            sending: ids of messages that are being sent.
        """
        rows = self._alert_state.rows(_WAITING, (episode_id, FIRED))
        if waiting := [row[0] for row in rows if row[0] not in sending]:
            detail = reason[:_DETAIL_MAX]
            with self._alert_state.transaction() as db:
                db.executemany(_SET, [(DeliveryStatus.HELD, detail, each) for each in waiting])
                db.execute(_HOLD, (episode_id, detail, now_ns, now_ns))

    def is_known(self, due: Due) -> bool:
        """Return whether the endpoint of a message took an earlier one of the same alert."""
        message = due.message
        return bool(self._alert_state.rows(_IS_KNOWN, (message.endpoint, message.episode_id)))

    def drop_superseded(self, due: Due) -> bool:
        """Drop a message that an alert fires where a later one waits; return whether it was.

        One that was tried stays: nobody knows whether it was taken, and under which id.
        """
        message_id = due.message.webhook_id
        if due.attempts or not self._alert_state.rows(_SUPERSEDED, (message_id,)):
            return False
        self._set([message_id], DeliveryStatus.SILENCED, "a later message says what is true by now")
        return True

    def unseen_ends(self) -> list[Due]:
        """Return the ends that wait of alerts of which their endpoint was sent nothing."""
        rows = self._alert_state.rows(_UNSEEN_ENDS, (FIRED,))
        return [Due(Message(*row[:6]), *row[6:]) for row in rows]

    def held(self) -> list[tuple[str, str, bytes]]:
        """Return the id, the episode and the body of each message that is kept back."""
        query = "SELECT webhook_id, episode_id, body FROM deliveries WHERE status = 'held'"
        return [(row[0], row[1], row[2]) for row in self._alert_state.rows(query)]

    def release(self, webhook_id: str, body: bytes, now_ns: int) -> None:
        """Send a message that was kept back, though no pass could say what is true now."""
        with self._alert_state.transaction() as db:
            db.execute(
                "UPDATE deliveries SET status = 'pending', body = ?, due_ns = ?, created_ns = ?,"
                " detail = ?, edition = edition + (tried_ns > 0)"
                " WHERE webhook_id = ? AND status = 'held'",
                (body, now_ns, now_ns, "no pass could say what is true now", webhook_id),
            )

    def read_again(self, due: Due) -> Due:
        """Return a message with what it says now, and the time at which it was written."""
        query = "SELECT body, created_ns, edition FROM deliveries WHERE webhook_id = ?"
        [(body, *rest)] = self._alert_state.rows(query, (due.message.webhook_id,))
        return Due(replace(due.message, body=body), due.attempts, *rest)

    def change(self, due: Due, body: bytes) -> Due:
        """Change what a message says before the next attempt."""
        with self._alert_state.transaction() as db:
            db.execute(_CHANGE, (body, due.message.webhook_id))
        return self.read_again(due)

    def drop_unseen(self, due: Due) -> bool:
        """Drop the end of an alert of which the endpoint was sent nothing; return whether it was.

        What was kept back of the episode is dropped in any case. Of what was tried nobody knows
        whether it was taken: an end too many is passed over, and for one too few it is waited.
        """
        message = due.message
        rows = self._alert_state.rows(_BEFORE, (message.endpoint, message.episode_id, message.seq))
        over = [row[0] for row in rows if row[1] == DeliveryStatus.HELD]
        kept_back = (DeliveryStatus.HELD, DeliveryStatus.SILENCED)
        is_unseen = bool(rows) and all(row[1] in kept_back and not row[2] for row in rows)
        if is_unseen:
            over.append(message.webhook_id)
        if over:
            self._set(over, DeliveryStatus.SILENCED, "the alert was over before its silence")
        return is_unseen

    def _set(self, webhook_ids: Sequence[str], status: DeliveryStatus, detail: str) -> None:
        with self._alert_state.transaction() as db:
            db.executemany(_SET, [(status, detail[:_DETAIL_MAX], each) for each in webhook_ids])

    def give_up(self, endpoint: str, status: DeliveryStatus, detail: str) -> int:
        """Give up what waits for an endpoint; return how many messages that were."""
        with self._alert_state.transaction() as db:
            return db.execute(
                "UPDATE deliveries SET status = ?, detail = ?"
                " WHERE endpoint = ? AND status = 'pending'",
                (status, detail, endpoint),
            ).rowcount

    def disable(self, endpoint: str, url: str, now_ns: int) -> None:
        """Stop sending to an endpoint for as long as it is configured with this URL."""
        with self._alert_state.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO disabled_endpoints VALUES (?, ?, ?)",
                (endpoint, url, now_ns),
            )
        self.give_up(endpoint, DeliveryStatus.DISABLED, "the receiver answered 410")

    def disabled(self) -> dict[str, str]:
        """Return the URL with which each endpoint was disabled, by its name."""
        return dict(self._alert_state.rows("SELECT endpoint, url FROM disabled_endpoints"))

    def of_episode(self, episode_id: str, limit: int) -> list[Delivery]:
        """Return the newest messages of an alert, of every status, the newest first."""
        rests = {row[0]: Rest(*row[1:]) for row in self._alert_state.rows(_RESTS)}
        found = [Delivery(*row) for row in self._alert_state.rows(_OF_EPISODE, (episode_id, limit))]
        return [
            replace(each, rest=rests.get(each.endpoint))
            if each.status == DeliveryStatus.PENDING
            else each
            for each in found
        ]

    def dead_letters(self, limit: int = LETTERS_MAX) -> list[DeadLetter]:
        """Return what was given up and is kept, in order."""
        return [DeadLetter(*row) for row in self._alert_state.rows(_LETTERS, (limit,))]

    def replay(self, webhook_ids: Sequence[str], act: Act, reason: str) -> dict[str, str]:
        """Put dead letters back into the outbox, and note who did.

        Their endpoints are tried again at once, those that answered 410 too: a person says so.

        Returns:
            By id: `pending`; `overtaken` where the receiver has a later message of the episode,
            beside which this one would be untrue; `unknown` where there is no such dead letter.
        """
        with self._alert_state.transaction() as db:
            results = {each: _replay(db, each, act.at_ns) for each in webhook_ids}
            replayed = [each for each, result in results.items() if result == "pending"]
            if replayed:
                detail = {"reason": reason, "webhook_ids": replayed}
                note_act(db, act, "dead_letters_replayed", detail)
        return results


def _replay(db: sqlite3.Connection, webhook_id: str, now_ns: int) -> str:
    found: Any = db.execute(
        "SELECT endpoint FROM deliveries WHERE webhook_id = ? AND status IN ('dead', 'disabled')",
        (webhook_id,),
    ).fetchone()
    if found is None:
        return "unknown"
    if db.execute(_OVERTAKEN, (webhook_id,)).fetchone() is not None:
        return "overtaken"
    db.execute(_AGAIN, (now_ns, now_ns, "replayed", webhook_id))
    db.execute("DELETE FROM disabled_endpoints WHERE endpoint = ?", found)
    db.execute("DELETE FROM circuits WHERE endpoint = ?", found)
    return "pending"


def _fail(db: sqlite3.Connection, endpoint: str, url: str, until_ns: int) -> None:
    db.execute("DELETE FROM circuits WHERE endpoint = ? AND url != ?", (endpoint, url))
    db.execute(
        "INSERT INTO circuits VALUES (?, ?, 1, ?) ON CONFLICT (endpoint) DO UPDATE"
        " SET failures = failures + 1, rests_until_ns = excluded.rests_until_ns",
        (endpoint, url, until_ns),
    )
