from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from alerts.people.notes import ACK, COMMENT, NOTES_MAX, Note, Notes, ack_of
from alerts.state.acts import Act
from alerts.state.sqlite import AlertStore, Update
from collector.core.errors import InputError
from collector.core.times import NS_PER_DAY
from tests.conftest import NOW_NS
from tests.support.alerts.builders import EPISODE, event, firing_state

OTHER = "2" * 32
ANNA, BOB = Act("anna", NOW_NS), Act("bob", NOW_NS + 1)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[AlertStore]:
    """A file in which two alerts fire."""
    memory = AlertStore(tmp_path / "alerts.sqlite")
    memory.record([Update(firing_state(), event())])
    other = replace(firing_state(), rule="other", episode_id=OTHER)
    memory.record([Update(other, event(rule="other", episode_id=OTHER))])
    yield memory
    memory.close()


def test_notes_stay_with_their_alert_in_order(memory: AlertStore) -> None:
    """Who took it over when, and what they found."""
    notes = Notes(memory)
    notes.add(EPISODE, ACK, ANNA, "looking")
    notes.add(OTHER, COMMENT, ANNA, "elsewhere")
    notes.add(EPISODE, COMMENT, BOB, "it is the cache")
    taken = notes.add(EPISODE, ACK, BOB, "mine now", is_actionable=True)

    found = notes.of([EPISODE])
    assert [(note.kind, note.actor, note.text) for note in found[EPISODE]] == [
        ("ack", "anna", "looking"),
        ("comment", "bob", "it is the cache"),
        ("ack", "bob", "mine now"),
    ]
    assert ack_of(found[EPISODE]) == taken == Note(EPISODE, ACK, "bob", BOB.at_ns, "mine now", True)
    assert notes.of([]) == {}
    actions = [row[0] for row in memory.rows("SELECT action FROM acts ORDER BY id")]
    assert actions == [
        "alert_acknowledged",
        "alert_commented",
        "alert_commented",
        "alert_acknowledged",
    ]


def test_last_answer_of_each_alert_counts(memory: AlertStore) -> None:
    """Whether a page was worth it is known afterwards."""
    notes = Notes(memory)
    assert notes.actionable_ratio(NOW_NS) is None
    notes.add(EPISODE, ACK, ANNA, "looking")
    assert notes.actionable_ratio(NOW_NS) is None
    notes.add(EPISODE, ACK, ANNA, "nothing", is_actionable=False)
    assert notes.actionable_ratio(NOW_NS) == 0
    notes.add(EPISODE, ACK, ANNA, "yes, after all", is_actionable=True)
    notes.add(EPISODE, ACK, ANNA, "good night")
    assert notes.actionable_ratio(NOW_NS) == 1
    notes.add(OTHER, ACK, ANNA, "nothing", is_actionable=False)
    assert notes.actionable_ratio(NOW_NS) == 0.5
    assert notes.actionable_ratio(NOW_NS + 31 * NS_PER_DAY) is None


def test_alert_that_is_not_there_is_named(memory: AlertStore) -> None:
    """A typed id may be wrong."""
    with pytest.raises(InputError, match="no alert has the episode 'nonsense'"):
        Notes(memory).add("nonsense", ACK, ANNA, "looking")


def test_notes_of_one_alert_are_bounded(memory: AlertStore) -> None:
    """A script in a loop must not fill the disk."""
    notes = Notes(memory)
    for _ in range(NOTES_MAX):
        notes.add(EPISODE, COMMENT, ANNA, "again")
    with pytest.raises(InputError, match="200 notes already"):
        notes.add(EPISODE, COMMENT, ANNA, "again")
