"""I/O: silences in the alert state: what they hide, from when until when, who made them, and why.

A maintenance window is a silence that starts later. What is hidden is evaluated and recorded as
ever, and goes to no receiver; what fires still when the silence ends goes out then.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from alerts.people.matchers import Alert, Matcher, match_all, parse_matchers
from alerts.people.window import Window
from alerts.rows import AlertEvent, event_from_json
from alerts.state.acts import Act, note_act
from alerts.state.routed import open_alerts
from alerts.state.sqlite import AlertStore
from collector.core.errors import InputError, NotFoundError
from collector.core.times import NS_PER_DAY, NS_PER_S

# Of a preview.
PAST_NS: Final = 7 * NS_PER_DAY
_SHOWN_NS: Final = 30 * NS_PER_DAY
SILENCES_MAX: Final = 1_000

_READ: Final = """
SELECT id, matchers, starts_ns, ends_ns, actor, reason, made_ns, ended_by, planned_ns, end_reason
FROM silences WHERE ends_ns > ? ORDER BY id
"""
_ONE: Final = """
SELECT id, matchers, starts_ns, ends_ns, actor, reason, made_ns, ended_by, planned_ns, end_reason
FROM silences WHERE id = ?
"""
_SAID: Final = re.compile(r"silence (\d+) of ")  # as a silence says itself
_MAKE: Final = """
INSERT INTO silences (matchers, starts_ns, ends_ns, actor, reason, made_ns, ended_by)
VALUES (?, ?, ?, ?, ?, ?, '')
RETURNING id, matchers, starts_ns, ends_ns, actor, reason, made_ns, ended_by, planned_ns, end_reason
"""
_END: Final = """
UPDATE silences SET planned_ns = ends_ns, ends_ns = ?, ended_by = ?, end_reason = ?
WHERE id = ? AND ends_ns > ?
RETURNING id, matchers, starts_ns, ends_ns, actor, reason, made_ns, ended_by, planned_ns, end_reason
"""


@dataclass(frozen=True, slots=True)
class Silence:
    """One silence."""

    id: int
    matchers: tuple[Matcher, ...]
    starts_ns: int
    ends_ns: int
    actor: str
    reason: str
    made_ns: int
    ended_by: str = ""  # who ended it before its time, "" where nobody did
    planned_ns: int = 0  # when it would have ended then; 0 where it is not known
    end_reason: str = ""  # why it was

    def hides(self, event: Alert, at_ns: int) -> bool:
        """Return whether an alert is hidden at an instant."""
        return self.starts_ns <= at_ns < self.ends_ns and match_all(self.matchers, event)

    def __str__(self) -> str:
        until = datetime.fromtimestamp(self.ends_ns // NS_PER_S, UTC)
        return f"silence {self.id} of {self.actor} until {until:%Y-%m-%dT%H:%M:%SZ}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Preview:
    """What matchers hide: of what fires now, and of what began to fire in the last days.

    The events of each alert, the last of what fires; without those of rules in shadow, which go to
    nobody.
    """

    now: list[list[AlertEvent]]
    past: list[list[AlertEvent]]


class Silences:
    """The table `silences`; safe to use from several threads."""

    def __init__(self, alert_state: AlertStore) -> None:
        self._alert_state = alert_state

    def make(self, matchers: Sequence[Matcher], window: Window, act: Act, reason: str) -> Silence:
        """Make a silence, and note who did. Raises InputError where there are too many."""
        with self._alert_state.transaction() as db:
            (count,) = db.execute(
                "SELECT count(*) FROM silences WHERE ends_ns > ?", (act.at_ns,)
            ).fetchone()
            if count >= SILENCES_MAX:
                raise InputError(f"{count:,} silences hold already; end some of them")
            texts = [str(matcher) for matcher in matchers]
            values = (window.starts_ns, window.ends_ns, act.actor, reason, act.at_ns)
            row = db.execute(_MAKE, (json.dumps(texts), *values)).fetchone()
            made = _silence(row)
            note_act(db, act, "alerts_silenced", _detail(made, reason))
        return made

    def end(self, number: int, act: Act, reason: str) -> Silence:
        """End a silence now, and note who did. Raises InputError where it does not hold."""
        with self._alert_state.transaction() as db:
            row = db.execute(_END, (act.at_ns, act.actor, reason, number, act.at_ns)).fetchone()
            if row is None:
                raise NotFoundError(
                    f"no silence {number} holds or is to come; see `millworth alerts silences`"
                )
            ended = _silence(row)
            note_act(db, act, "silence_ended", _detail(ended, reason))
        return ended

    def all(self, now_ns: int) -> list[Silence]:
        """Return every silence that holds, is to come, or ended in the last 30 days."""
        return [_silence(row) for row in self._alert_state.rows(_READ, (now_ns - _SHOWN_NS,))]

    def hiding(self, event: Alert, now_ns: int) -> list[Silence]:
        """Return the silences that hide an alert now."""
        return [each for each in self.holding(now_ns) if each.hides(event, now_ns)]

    def holding(self, now_ns: int) -> list[Silence]:
        """Return the silences that hold now."""
        rows = self._alert_state.rows(_READ, (now_ns,))
        return [each for each in map(_silence, rows) if each.starts_ns <= now_ns]

    def hidden(self, event: Alert, now_ns: int) -> str:
        """Return why an alert is hidden now, "" where it is not."""
        found = self.hiding(event, now_ns)
        return str(max(found, key=lambda silence: silence.ends_ns)) if found else ""

    def as_it_ended(self, said: str) -> str:
        """Return what `hidden` said, with the end that its silence had: one may be ended early."""
        match = _SAID.match(said)
        rows = self._alert_state.rows(_ONE, (int(match[1]),)) if match else []
        return str(_silence(rows[0])) if rows else said

    def preview(self, matchers: Sequence[Matcher], now_ns: int) -> Preview:
        """Return what matchers hide now, and would have hidden in the last seven days."""
        now = [[alert.last] for alert in open_alerts(self._alert_state)]
        past = self._began(now_ns - PAST_NS)
        return Preview(_about(matchers, now), _about(matchers, past))

    def _began(self, from_ns: int) -> list[list[AlertEvent]]:
        """Return the events of each episode that began to fire since, from then on, in order."""
        rows = self._alert_state.rows(
            "SELECT row FROM events WHERE at_ns >= ? ORDER BY at_ns, seq", (from_ns,)
        )
        episodes: dict[str, list[AlertEvent]] = {}
        for event in (event_from_json(row[0]) for row in rows):
            if event.started_ns >= from_ns:
                episodes.setdefault(event.episode_id, []).append(event)
        return list(episodes.values())


def _about(
    matchers: Sequence[Matcher], alerts: Sequence[list[AlertEvent]]
) -> list[list[AlertEvent]]:
    return [
        events
        for events in alerts
        if not events[-1].is_shadow and any(match_all(matchers, event) for event in events)
    ]


def _detail(silence: Silence, reason: str) -> dict[str, Any]:
    return {
        "id": silence.id,
        "matchers": [str(matcher) for matcher in silence.matchers],
        "starts_ns": silence.starts_ns,
        "ends_ns": silence.ends_ns,
        "reason": reason,
    }


def _silence(row: sqlite3.Row | tuple[Any, ...]) -> Silence:
    number, matchers, *rest = row
    return Silence(number, _matchers(matchers), *rest)


@lru_cache(maxsize=SILENCES_MAX)
def _matchers(texts: str) -> tuple[Matcher, ...]:
    # Each is held to each alert each second.
    return parse_matchers(json.loads(texts))
