"""kill -9 in every state of an alert loses no transition, doubles none, and neither any message."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from alerts.delivery.demo_receiver import DemoReceiver
from alerts.state.transitions import Phase
from tests.conftest import ManualClock
from tests.support.alerts.scene import START_NS

Transitions = list[list[object]]


class Life:
    """The life of an alert, in as many processes as it takes, and a receiver that outlives them."""

    def __init__(self, directory: Path, receiver: DemoReceiver, clock: ManualClock) -> None:
        directory.mkdir()
        self._directory = directory
        self._receiver = receiver
        self._clock = clock
        self.seen: set[str] = set()

    def go_on(self, *, kill: bool) -> Transitions:
        """Go on until a state is seen for the first time; return all transitions at the end."""
        command = [sys.executable, "-m", "tests.support.alerts.life", str(self._directory)]
        with subprocess.Popen(
            [*command, self._receiver.url, self._receiver.secret],
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                what, _, value = line.strip().partition(" ")
                if what == "at":
                    self._clock.ns = int(value)
                elif what == "rows":
                    rows: Transitions = json.loads(value)
                    return rows
                elif what == "state" and value not in self.seen:
                    self.seen.add(value)
                    if kill:
                        process.send_signal(signal.SIGKILL)
                        return []
        raise AssertionError("the process ended before the life did")

    @property
    def told(self) -> list[tuple[str, str, int]]:
        """Return what the receiver heard, in order."""
        data = [(each.kind, each.message["data"]) for each in self._receiver.deliveries]
        return [(kind, each["episode_id"], each["seq"]) for kind, each in data]


@contextmanager
def life(directory: Path) -> Iterator[Life]:
    """Begin a life."""
    clock = ManualClock(START_NS)
    receiver = DemoReceiver(clock=clock)
    receiver.start()
    try:
        yield Life(directory, receiver, clock)
    finally:
        receiver.stop()


@pytest.mark.integration
def test_kill_in_every_state_changes_nothing(tmp_path: Path) -> None:
    """A process is killed in the pass after the first of each state; the next one goes on."""
    with life(tmp_path / "undisturbed") as undisturbed, life(tmp_path / "killed") as killed:
        expected = undisturbed.go_on(kill=False)
        found: Transitions = []
        while not found:
            found = killed.go_on(kill=True)

        assert killed.seen == undisturbed.seen == {*Phase}
        assert found == expected
        assert killed.told == undisturbed.told
        assert [kind for kind, _, _ in killed.told].count("alert.firing") >= 2
