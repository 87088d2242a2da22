from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from collector.store.connect import Connections
from dashboard.cli.ask.alerts.receivers import show_trials
from tests.support.alerts.builders import endpoint
from tests.support.alerts.receiver import ScriptedReceiver
from tests.support.alerts.state_api import StateApi

BODY = {"reason": "a test", "receivers": [], "actor": "anna"}


def test_person_reads_what_each_answered_and_a_machine_parses_it(
    store: Connections, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A receiver that is wrong is not well, nor is none at all."""
    receiver = ScriptedReceiver()
    api = StateApi(store, tmp_path, webhooks=(endpoint(receiver.url),))
    assert show_trials(api.client, BODY, as_json=False)
    said = capsys.readouterr().out
    assert re.fullmatch(r"router \(webhook\): taken: HTTP 200, \d+ ms\n", said)
    receiver.answers = [(500, {})]
    assert not show_trials(api.client, BODY, as_json=True)
    (trial,) = json.loads(capsys.readouterr().out)["trials"]
    assert (trial["is_taken"], trial["detail"]) == (False, "HTTP 500")
    receiver.stop()
    api.close()


def test_without_a_receiver_it_says_which_setting_makes_one(
    state_api: StateApi, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody would be paged."""
    assert not show_trials(state_api.client, BODY, as_json=False)
    assert "add [[alerts.webhooks]]" in capsys.readouterr().out
