from __future__ import annotations

from alerts.delivery.outbox import Outbox
from alerts.state.sqlite import Update
from dashboard.api.alerts.dead import DeadLetters
from tests.conftest import NOW_NS
from tests.support.alerts.builders import event, firing_state, message
from tests.support.alerts.state_api import StateApi

REPLAY = "/api/v1/alerts/dead/replay"


class Nowhere:
    """A sender without any receiver: its outbox has none."""

    def send(self, *_: object) -> None:
        """Never called."""
        raise AssertionError


def give_up(api: StateApi) -> None:
    """Have two webhooks given up: their receiver is not in the settings."""
    api.state.record([Update(firing_state(), event(), (message(), message(seq=2)))])
    outbox = Outbox(api.state, (), Nowhere())  # type: ignore[arg-type]  # it is never asked
    outbox.deliver_due(NOW_NS)
    outbox.close()


def test_what_was_given_up_is_listed_and_replayed(state_api: StateApi) -> None:
    """Nothing vanishes: a person sees why, mends the receiver, and sends it again."""
    give_up(state_api)
    letters = DeadLetters(**state_api.send("GET", "/api/v1/alerts/dead").json()).letters
    assert len(letters) == 2

    other = {"reason": "mended", "endpoint": "other"}
    assert state_api.send("POST", REPLAY, other).json() == {"replays": []}
    answer = state_api.send("POST", REPLAY, {"reason": "mended", "actor": "anna"}).json()
    results = [each["result"] for each in answer["replays"]]
    assert results == ["pending", "pending"]
    assert state_api.send("GET", "/api/v1/alerts/dead").json() == {"letters": []}
    ids = ["episode-1-router", "episode-2-router"]
    detail = {"reason": "mended", "webhook_ids": ids}
    assert state_api.audited() == [("anna", "dead_letters_replayed", detail)]


def test_act_without_a_reason_is_refused(state_api: StateApi) -> None:
    """Whoever reads the audit next year has only that."""
    for reason in ({}, {"reason": ""}, {"reason": "  "}):
        answer = state_api.send("POST", REPLAY, reason)
        assert answer.status_code == 400
        assert "reason" in answer.json()["detail"]


def test_act_is_audited_once_whatever_is_repeated(state_api: StateApi) -> None:
    """A kill between the row of the audit and its note writes no second row."""
    give_up(state_api)
    state_api.send("POST", REPLAY, {"reason": "mended"})
    once = state_api.audited()
    with state_api.state.transaction() as db:
        db.execute("UPDATE acts SET is_audited = 0")

    assert state_api.audited() == once
    assert len(once) == 1
