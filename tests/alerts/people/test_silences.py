from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from alerts.people.matchers import parse_matchers
from alerts.people.silences import Silence, Silences
from alerts.people.window import Window
from alerts.state.acts import Act
from alerts.state.sqlite import AlertStore, Update
from collector.core.errors import InputError
from collector.core.times import NS_PER_DAY, NS_PER_HOUR
from tests.conftest import NOW_NS
from tests.support.alerts.builders import EPISODE, event, firing_state

ANNA = Act("anna", NOW_NS)
HOUR = Window(NOW_NS, NOW_NS + NS_PER_HOUR)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[AlertStore]:
    """A fresh file."""
    memory = AlertStore(tmp_path / "alerts.sqlite")
    yield memory
    memory.close()


def make(memory: AlertStore, *matchers: str, window: Window = HOUR) -> Silence:
    """Make a silence."""
    return Silences(memory).make(parse_matchers(matchers), window, ANNA, "deploying")


def test_silence_hides_from_its_start_to_its_end(memory: AlertStore) -> None:
    """And what it is about alone."""
    silences = Silences(memory)
    later = Window(NOW_NS + NS_PER_HOUR, NOW_NS + 2 * NS_PER_HOUR)
    made = make(memory, "action=checkout", window=later)

    said = f"silence {made.id} of anna until 2033-05-18T05:33:20Z: deploying"
    assert silences.hidden(event(), later.starts_ns - 1) == ""
    assert silences.hidden(event(), later.starts_ns) == said
    assert silences.hidden(event(action="browse"), later.starts_ns) == ""
    assert silences.hidden(event(), later.ends_ns - 1) == said
    assert silences.hidden(event(), later.ends_ns) == ""


def test_silence_that_is_ended_hides_no_more(memory: AlertStore) -> None:
    """It is there to be seen, with who ended it; and only once."""
    silences = Silences(memory)
    made = make(memory, "rule=~.*")
    bob = Act("bob", NOW_NS + 60)
    ended = silences.end(made.id, bob, "done")

    assert (ended.ends_ns, ended.ended_by) == (NOW_NS + 60, "bob")
    assert (ended.planned_ns, ended.end_reason) == (HOUR.ends_ns, "done")
    assert (made.planned_ns, made.end_reason) == (0, "")
    assert silences.hidden(event(), NOW_NS + 60) == ""
    assert silences.all(NOW_NS + 61) == [ended]
    with pytest.raises(InputError, match="no silence 1 holds"):
        silences.end(made.id, bob, "again")


def test_maintenance_window_is_called_off_before_it_begins(memory: AlertStore) -> None:
    """Then it never hides anything."""
    silences = Silences(memory)
    later = Window(NOW_NS + NS_PER_HOUR, NOW_NS + 2 * NS_PER_HOUR)
    made = make(memory, "rule=~.*", window=later)
    silences.end(made.id, ANNA, "not today")

    assert silences.hidden(event(), later.starts_ns) == ""


def test_silence_survives_a_restart(tmp_path: Path) -> None:
    """Whoever is asleep stays so."""
    path = tmp_path / "restarted.sqlite"
    memory = AlertStore(path)
    made = make(memory, 'region=~"eu-.*"', "severity!=ticket")
    memory.close()
    memory = AlertStore(path)

    assert Silences(memory).all(NOW_NS) == [made]
    assert Silences(memory).hidden(event(), NOW_NS)
    memory.close()


def test_every_act_is_noted_with_it(memory: AlertStore) -> None:
    """In one transaction: nobody acts unseen while the store is away."""
    made = make(memory, "rule=burn")
    Silences(memory).end(made.id, Act("bob", NOW_NS + 1), "done")

    rows = memory.rows("SELECT actor, at_ns, action, detail FROM acts ORDER BY id")
    assert [row[:3] for row in rows] == [
        ("anna", NOW_NS, "alerts_silenced"),
        ("bob", NOW_NS + 1, "silence_ended"),
    ]
    for text in ('"matchers": ["rule=burn"]', '"reason": "deploying"', '"id": 1'):
        assert text in rows[0][3]


def test_preview_says_what_is_hidden_and_what_would_have_been(memory: AlertStore) -> None:
    """But not of rules in shadow: what they find goes to nobody."""
    memory.record([Update(firing_state(), event())])
    old, old_ns = "a" * 32, NOW_NS - 6 * NS_PER_DAY
    for seq, phase in enumerate(("firing", "resolved"), start=1):
        began = event(
            episode_id=old, seq=seq, at_ns=old_ns + seq - 1, started_ns=old_ns, to_state=phase
        )
        memory.record([Update(replace(firing_state(), rule="old", episode_id="b"), began)])
    older_ns = NOW_NS - 8 * NS_PER_DAY
    gone = event(episode_id="c" * 32, at_ns=older_ns, started_ns=older_ns)
    memory.record([Update(replace(firing_state(), rule="c", episode_id="c"), gone)])
    for name, changes in (
        ("d", {"rule": "dead-man", "basis": "unknown"}),
        ("e", {"rule": "new", "is_shadow": True}),
    ):
        each = event(episode_id=name * 32, **changes)
        memory.record([Update(replace(firing_state(), rule=name, episode_id=name * 32), each)])

    found = Silences(memory).preview(parse_matchers(["severity=page"]), NOW_NS)

    assert [[each.rule for each in events] for events in found.now] == [["burn"], ["dead-man"]]
    past = {events[0].episode_id: [each.to_state for each in events] for events in found.past}
    assert past == {EPISODE: ["firing"], old: ["firing", "resolved"], "d" * 32: ["firing"]}
    assert Silences(memory).preview(parse_matchers(["region=us-east"]), NOW_NS).past == []


def test_there_are_so_many_silences_at_most(memory: AlertStore) -> None:
    """Each is held to each message."""
    with memory.transaction() as db:
        db.executemany(
            "INSERT INTO silences (matchers, starts_ns, ends_ns, actor, reason, made_ns, ended_by)"
            " VALUES ('[\"rule=x\"]', 0, ?, '', '', 0, '')",
            [(NOW_NS + 5,)] * 1_000,
        )
    with pytest.raises(InputError, match=re.escape("1,000 silences hold already")):
        make(memory, "rule=burn")
