"""I/O: how people stand to alerts: who looks after each, and what hides it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from alerts.people.matchers import Alert
from alerts.people.notes import Note, Notes, ack_of
from alerts.people.silences import Silences
from alerts.state.sqlite import AlertStore


class Known(Alert, Protocol):
    """An alert with its episode."""

    @property
    def episode_id(self) -> str:
        """Return the episode."""
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """What people did about one alert."""

    ack: Note | None  # the last acknowledgement
    silenced: tuple[int, ...]  # silences that hide it now


def standings(
    alert_state: AlertStore,
    alerts: Sequence[Known],
    fires: Sequence[Known],
    now_ns: int,
    *,
    is_past: bool = False,
) -> dict[str, Standing]:
    """Return the standing of each alert by its episode.

    Args:
        alert_state: what fires, what was sent, and what people did.
        alerts: all of them.
        fires: those that are open, of which silences may hide some.
        now_ns: the time.
        is_past: that is one of the past: what people did after it is left out.
    """
    notes = Notes(alert_state).of([alert.episode_id for alert in alerts])
    silences = Silences(alert_state)

    def is_known(done_ns: int) -> bool:
        return not is_past or done_ns <= now_ns

    hides = {
        alert.episode_id: tuple(
            each.id for each in silences.hiding(alert, now_ns) if is_known(each.made_ns)
        )
        for alert in fires
    }
    acks = {
        episode_id: ack_of([note for note in of if is_known(note.at_ns)])
        for episode_id, of in notes.items()
    }
    return {
        alert.episode_id: Standing(acks.get(alert.episode_id), hides.get(alert.episode_id, ()))
        for alert in alerts
    }
