from __future__ import annotations

import json

import pytest

from alerts.state.deliveries import Deliveries
from alerts.state.retry import DeliveryStatus
from alerts.state.sqlite import Update
from dashboard.cli.ask.alerts.main import show_history, show_open
from dashboard.cli.ask.alerts.silences import show_silence
from tests.support.alerts.builders import EPISODE, event, firing_state, message
from tests.support.alerts.state_api import StateApi

BODY = {
    "matchers": ["region=eu-west"],
    "reason": "deploying",
    "duration": "1h",
    "starts": "",
    "ends": "",
    "zone": "",
    "actor": "anna",
}


def test_person_reads_what_fires_with_its_money(
    state_api: StateApi, capsys: pytest.CaptureFixture[str]
) -> None:
    """And what others said of it; a sender's text must not drive the terminal."""
    assert not show_open(state_api.client, as_json=False)
    assert capsys.readouterr().out == "0 fire, and 0 of others\n"
    state_api.fire(action="check\x1b[2Jout")
    state_api.client.post(
        f"/api/v1/alerts/{EPISODE}/ack",
        {"comment": "looking", "is_actionable": True, "actor": "anna"},
    )
    state_api.send("POST", "/api/v2/alerts", [{"labels": {"alertname": "\x1b[31mHigh"}}])
    show_silence(state_api.client, BODY, preview=False, as_json=False)
    said = capsys.readouterr().out
    assert "hides now: 1 alerts, $123.46" in said
    assert "silence 1 holds: region=eu-west, 2033-05-18T03:33:20.000 to" in said

    assert show_open(state_api.client, as_json=False)
    first, second, last = capsys.readouterr().out.splitlines()
    assert first == (
        f"{EPISODE} page burn check\\u001b[2Jout/eu-west, firing, $7,407.41/h, since "
        "2033-05-18T03:33:20.000, blamed decision/store, acknowledged by anna, "
        "hidden by silence 1"
    )
    assert second.endswith('{"alertname": "\\u001b[31mHigh"}')
    assert last == "1 fire, and 1 of others"

    show_history(state_api.client, EPISODE, as_json=False)
    change, note, hides = capsys.readouterr().out.splitlines()
    assert change == "2033-05-18T03:33:20.000 inactive -> firing: because"
    assert note == '2033-05-18T03:33:20.000 ack by anna, something to do: "looking"'
    assert hides.startswith("hidden by silence 1 until 2033-05-18T04:33:20.000")


def test_person_reads_which_receiver_was_told_and_why_another_was_not(
    state_api: StateApi, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twelve of fourteen failed, and the alert named none; a receiver's text drives no terminal."""
    sent = tuple(message(1, each, episode_id=EPISODE) for each in ("pager", "router"))
    state_api.state.record([Update(firing_state(), event(), sent)])
    Deliveries(state_api.state).give_up("router", DeliveryStatus.DISABLED, "HTTP 410\x1b[2J")

    show_history(state_api.client, EPISODE, as_json=False)
    _, *told = capsys.readouterr().out.splitlines()
    assert told == [
        "2033-05-18T03:33:20.000 alert.firing to pager: pending, attempts: 0",
        "2033-05-18T03:33:20.000 alert.firing to router: disabled, attempts: 0: HTTP 410\\u001b[2J",
    ]
    show_history(state_api.client, EPISODE, as_json=True)
    messages = json.loads(capsys.readouterr().out)["messages"]
    assert [(each["endpoint"], each["status"]) for each in messages] == [
        ("router", "disabled"), ("pager", "pending"),
    ]  # fmt: skip


def test_machine_reads_the_same(state_api: StateApi, capsys: pytest.CaptureFixture[str]) -> None:
    """One JSON value a command."""
    state_api.fire()
    show_silence(state_api.client, BODY, preview=True, as_json=True)
    answer = json.loads(capsys.readouterr().out)
    assert answer["silence"] is None
    assert len(answer["preview"]["now"]) == 1

    show_open(state_api.client, as_json=True)
    [alert] = json.loads(capsys.readouterr().out)["alerts"]
    assert (alert["episode_id"], alert["people"]["silenced"]) == (EPISODE, [])
    show_history(state_api.client, EPISODE, as_json=True)
    assert json.loads(capsys.readouterr().out)["episode_id"] == EPISODE
