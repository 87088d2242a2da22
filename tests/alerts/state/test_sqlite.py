from __future__ import annotations

import itertools
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.rows import CaptureRequest
from alerts.state.deliveries import Deliveries
from alerts.state.retry import DeliveryStatus, Step
from alerts.state.schema import SCHEMA_VERSION, STEPS, look_at_state, open_state
from alerts.state.sqlite import PENDING_MAX, AlertStore, Update
from alerts.state.subject import Subject
from alerts.state.transitions import AlertState, first_state
from collector.core.errors import InputError
from tests.conftest import NOW_NS
from tests.support.alerts.builders import event, message
from tests.support.alerts.state_machine import SCRIPTS, observations, run
from tests.support.examples import examples
from tests.support.service import LAY_DOWN

CHECKOUT = Subject("checkout", "eu-west")
STATE = first_state("burn", CHECKOUT, NOW_NS)
CAPTURE = CaptureRequest("episode/1", NOW_NS, NOW_NS - 5, NOW_NS + 5, "checkout", "eu-west")
KILLED_AFTER = 25

_FILES = itertools.count()


def reopen(memory: AlertStore, path: Path) -> AlertStore:
    """Close the file and open it again, as a restart does."""
    memory.close()
    return AlertStore(path)


def settle(memory: AlertStore, status: DeliveryStatus) -> None:
    """Write the result of an attempt at the message that is next."""
    outbox = Deliveries(memory)
    due = outbox.next("router", NOW_NS)
    assert due is not None
    outbox.settle(due, Step(status, NOW_NS, ""), "http://127.0.0.1:1/hook", NOW_NS)


def test_everything_survives_a_restart(tmp_path: Path) -> None:
    """What was acted upon is remembered, value by value."""
    path = tmp_path / "deep" / "alerts.sqlite"
    memory = AlertStore(path)
    state = replace(STATE, held_ns=7, episodes=2, episode_id="ab", seq=3, started_ns=NOW_NS)

    memory.record([Update(state, event(), (message(),), CAPTURE)])
    memory = reopen(memory, path)

    assert memory.states() == {("burn", CHECKOUT): state}
    assert memory.unmirrored_events(10) == [event()]
    assert memory.unmirrored_captures(10) == [CAPTURE]
    due = Deliveries(memory).next("router", NOW_NS)
    assert due is not None
    assert due.message == message()
    memory.close()


def test_what_is_mirrored_is_not_mirrored_again(tmp_path: Path) -> None:
    """The note outlives the process that made it."""
    path = tmp_path / "alerts.sqlite"
    memory = AlertStore(path)
    memory.record([Update(STATE, event(), (), CAPTURE)])

    memory.mark_events_mirrored(memory.unmirrored_events(10))
    memory.mark_captures_mirrored(memory.unmirrored_captures(10))
    memory = reopen(memory, path)

    assert memory.backlog().unmirrored == 0
    memory.close()


def test_repeated_pass_adds_nothing(tmp_path: Path) -> None:
    """An id names an event and a message for ever."""
    memory = AlertStore(tmp_path / "alerts.sqlite")
    update = Update(STATE, event(), (message(),), CAPTURE)

    memory.record([update])
    settle(memory, DeliveryStatus.DELIVERED)
    memory.record([update])

    assert memory.backlog().deliveries == {"delivered": 1}
    assert memory.backlog().unmirrored == 2
    memory.close()


def test_newest_evidence_of_an_episode_is_found(tmp_path: Path) -> None:
    """It says what the alert is about, and from which change on its suspect holds."""
    memory = AlertStore(tmp_path / "alerts.sqlite")
    for seq, region in ((2, "eu-west"), (11, "us-east")):
        kept = CaptureRequest(f"e1/{seq}", NOW_NS + seq, NOW_NS, NOW_NS, "checkout", region)
        fired = event(episode_id="e1", seq=seq)
        memory.record([Update(first_state("burn", Subject("*", "*"), 0), fired, capture=kept)])

    assert memory.evidence_of("e1") == (11, Subject("checkout", "us-east"))
    assert memory.evidence_of("e") is None
    memory.close()


def test_pass_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    """A transition without its message, or the other way round, is an alert that lies."""
    memory = AlertStore(tmp_path / "alerts.sqlite")
    unwritable = message(body="text is no body")
    bad = Update(replace(STATE, rule="other"), event(seq=2), (unwritable,))

    with pytest.raises(Exception, match="cannot store TEXT value in BLOB column"):
        memory.record([Update(STATE, event(), (message(),), CAPTURE), bad])

    assert memory.states() == {}
    assert memory.backlog().deliveries == {}
    assert memory.backlog().unmirrored == 0
    memory.close()


def test_full_queue_keeps_the_message_as_dead_and_says_so(tmp_path: Path) -> None:
    """A receiver that never answers must not fill the disk, and nothing vanishes."""
    memory = AlertStore(tmp_path / "alerts.sqlite")
    many = tuple(message(seq=n) for n in range(PENDING_MAX + 3))

    memory.record([Update(STATE, event(), many)])

    assert memory.backlog().deliveries == {"pending": PENDING_MAX, "dead": 3}
    memory.close()


def test_old_and_finished_is_pruned(tmp_path: Path) -> None:
    """The file does not grow for ever; what is still owed to somebody stays."""
    memory = AlertStore(tmp_path / "alerts.sqlite")
    memory.record([Update(STATE, event(), (message(),), CAPTURE)])
    memory.prune(NOW_NS + 1)
    assert memory.backlog().unmirrored == 2
    assert memory.backlog().deliveries == {"pending": 1}

    memory.mark_events_mirrored([event()])
    settle(memory, DeliveryStatus.DEAD)
    memory.prune(NOW_NS + 1)

    assert memory.backlog().deliveries == {}
    assert memory.last_event(event().episode_id) is None
    memory.close()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"this is no database at all" * 50, "move the file away", id="another file"),
        pytest.param(None, "name a file in a directory", id="a directory"),
    ],
)
def test_file_that_cannot_be_used_is_named(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    """The start ends with one line that says what to do."""
    path = tmp_path / "alerts.sqlite"
    path.write_bytes(content) if content is not None else path.mkdir()

    with pytest.raises(InputError, match=message):
        AlertStore(path)


@pytest.mark.parametrize(
    ("name", "mode", "named"),
    [
        pytest.param("alerts.sqlite", 0o444, "alerts.sqlite", id="it can be read alone"),
        pytest.param("alerts.sqlite", 0, "alerts.sqlite", id="it cannot be read"),
        pytest.param(".", 0o555, "", id="its directory"),
    ],
)
def test_file_of_another_user_is_named_with_chown(
    tmp_path: Path, name: str, mode: int, named: str
) -> None:
    """A start ran on and judged nothing, or said to move good state away: silences were lost."""
    path = tmp_path / "alerts.sqlite"
    AlertStore(path).close()
    (tmp_path / name).chmod(mode)
    code = "import sys; from pathlib import Path; from alerts.state.sqlite import AlertStore"
    opened = subprocess.run(
        [*LAY_DOWN, sys.executable, "-c", f"{code}; AlertStore(Path(sys.argv[1]))", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    (tmp_path / name).chmod(0o700)
    said = opened.stderr.splitlines()[-1]
    what = tmp_path / named if named else tmp_path
    assert said.startswith("collector.core.errors.InputError: alerts.state_path "), opened.stderr
    assert f"this user cannot use {what}; " in said
    assert f"`chown USER: {what}`" in said
    assert "move" not in said


@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SCRIPTS, st.sets(st.integers(0, 40)))
def test_restarts_change_no_transition(tmp_path: Path, script: str, restarts: set[int]) -> None:
    """Wherever the service stops, it goes on as if it had not."""
    path = tmp_path / f"{next(_FILES)}.sqlite"
    memory = AlertStore(path)
    state, transitions = STATE, []
    for number, seen in enumerate(observations(script)):
        if number in restarts:
            memory = reopen(memory, path)
            state = memory.states().get(STATE.key, STATE)
        state, new = run([seen], state, for_s=20)
        transitions += new
        memory.record([Update(state)])
    memory.close()

    assert (state, transitions) == run(script, for_s=20)


@pytest.mark.integration
def test_kill_leaves_whole_judgements(tmp_path: Path) -> None:
    """After kill -9 at any instant, state, events and messages tell the same story."""
    path = tmp_path / "alerts.sqlite"
    writer = subprocess.Popen(
        [sys.executable, "-m", "tests.support.alerts.endless_writer", str(path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout is not None
    acknowledged = 0
    while acknowledged < KILLED_AFTER:
        acknowledged = int(writer.stdout.readline())
    writer.send_signal(signal.SIGKILL)
    said = writer.stdout.read().split()
    writer.stdout.close()
    writer.wait()

    memory = AlertStore(path)
    (state,) = memory.states().values()
    assert_whole(memory, state)
    assert state.seq >= max(acknowledged, *map(int, said[:-1] or ["0"]))
    memory.close()


def assert_whole(memory: AlertStore, state: AlertState) -> None:
    """Hold what is there against the state: one event and one message a transition."""
    sequence = list(range(1, state.seq + 1))
    assert sorted(event.seq for event in memory.unmirrored_events(100_000)) == sequence
    assert memory.backlog().deliveries.get("pending", 0) == min(state.seq, PENDING_MAX)


def test_roles_that_start_together_bring_an_older_file_up_once(tmp_path: Path) -> None:
    """One of two ended with exit 2 and the advice to move the state away."""
    for number in range(5):
        path = tmp_path / f"{number}.sqlite"
        with closing(sqlite3.connect(path)) as db:
            db.executescript(f"{' '.join(STEPS[:3])} PRAGMA user_version = 3;")
        with ThreadPoolExecutor(8) as pool:
            opened = [pool.submit(open_state, path) for _ in range(8)]
            for each in opened:
                with closing(each.result()) as db:
                    assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


def test_look_at_the_state_changes_nothing_in_it(tmp_path: Path) -> None:
    """Of an older file, of an empty one, of one that is not there and of its directory."""
    older, empty = tmp_path / "older.sqlite", tmp_path / "empty.sqlite"
    with closing(sqlite3.connect(older)) as db:
        db.executescript(f"{' '.join(STEPS[:3])} PRAGMA user_version = 3;")
    empty.touch()
    before = [path.read_bytes() for path in (older, empty)]
    for path in (older, empty):
        look_at_state(path)
    assert [path.read_bytes() for path in (older, empty)] == before
    look_at_state(tmp_path / "new" / "state.sqlite")
    assert sorted(tmp_path.iterdir()) == [empty, older]


def test_place_where_no_state_can_be_made_is_told_by_a_look(tmp_path: Path) -> None:
    """It was told by opening alone, when the receivers had begun to take."""
    (tmp_path / "file").touch()
    for path, why in (
        (tmp_path / "file" / "state.sqlite", "is no directory; name a file in a directory"),
        (tmp_path, "it is a directory: name a file in a directory"),
    ):
        with pytest.raises(InputError, match=f"alerts.state_path {path}: .*{why}"):
            look_at_state(path)
