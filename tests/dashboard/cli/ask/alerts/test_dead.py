from __future__ import annotations

import json

import pytest

from alerts.state.sqlite import PENDING_MAX, Update
from dashboard.cli.ask.alerts.dead import show_dead, show_replays
from tests.support.alerts.builders import event, firing_state, message
from tests.support.alerts.state_api import StateApi


def test_person_reads_why_and_a_machine_parses_it(
    state_api: StateApi, capsys: pytest.CaptureFixture[str]
) -> None:
    """The one that came too many is named, with the reason."""
    assert not show_dead(state_api.client, as_json=False)
    assert capsys.readouterr().out == "0 given up\n"
    many = tuple(message(seq=n) for n in range(PENDING_MAX + 1))
    state_api.state.record([Update(firing_state(), event(), many)])

    assert show_dead(state_api.client, as_json=False)
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith(f"episode-{PENDING_MAX}-router alert.firing of 2033-05-18T03:33:20")
    assert f'dead after 0 attempts: "{PENDING_MAX} messages were waiting already"' in first
    assert last == "1 given up"

    body = {"reason": "room again", "webhook_ids": [], "endpoint": "", "actor": "anna"}
    assert not show_replays(state_api.client, body, as_json=True)
    assert json.loads(capsys.readouterr().out) == {
        "replays": [{"webhook_id": f"episode-{PENDING_MAX}-router", "result": "pending"}]
    }
