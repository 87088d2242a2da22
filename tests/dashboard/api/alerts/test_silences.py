"""Silences over HTTP: previewed, made, ended, and what of one is missing or wrong."""

from __future__ import annotations

import pytest

from collector.core.times import NS_PER_HOUR, NS_PER_S
from tests.conftest import NOW_NS
from tests.support.alerts.builders import EPISODE
from tests.support.alerts.scene import HURT, write_seconds
from tests.support.alerts.state_api import StateApi

SILENCE = {"matchers": ["region=~eu-.*"], "duration": "1h", "reason": "deploying"}


def test_silence_is_previewed_made_and_ended(state_api: StateApi) -> None:
    """With its price before anybody makes it."""
    state_api.fire()
    write_seconds(state_api.store.client(), NOW_NS - 10 * NS_PER_S, 10, HURT, slow_ms=120)
    matchers = {"matchers": SILENCE["matchers"]}
    preview = state_api.send("POST", "/api/v1/silences/preview", matchers).json()
    assert (len(preview["now"]), preview["now_usd"]) == (1, "50.000000")
    assert (len(preview["past"]), preview["past_usd"]) == (1, "50.000000")

    made = state_api.send("POST", "/api/v1/silences", {**SILENCE, "actor": "anna"}).json()
    assert (made["state"], made["ends_ns"]) == ("holds", NOW_NS + NS_PER_HOUR)
    [alert] = state_api.send("GET", "/api/v1/alerts/open").json()["alerts"]
    assert alert["people"]["silenced"] == [made["id"]]
    history = state_api.send("GET", f"/api/v1/alerts/{EPISODE}").json()
    assert [each["id"] for each in history["silences"]] == [made["id"]]

    ended = state_api.send("POST", f"/api/v1/silences/{made['id']}/end", {"reason": "done"}).json()
    assert (ended["state"], ended["ended_by"]) == ("over", "somebody unnamed")
    assert (ended["planned_ns"], ended["end_reason"]) == (made["ends_ns"], "done")
    assert state_api.send("GET", "/api/v1/silences").json() == {"silences": [ended]}
    actions = [action for _, action, _ in state_api.audited()]
    assert actions == ["alerts_silenced", "silence_ended"]


def test_silence_that_came_later_hid_nothing(state_api: StateApi) -> None:
    """An alert that every receiver was told of, and that was over, was never hidden."""
    state_api.fire()
    state_api.fire(seq=2, at_ns=NOW_NS + 1, to_state="resolved")
    state_api.send("POST", "/api/v1/silences", {**SILENCE, "actor": "anna"})
    assert state_api.send("GET", f"/api/v1/alerts/{EPISODE}").json()["silences"] == []


def test_maintenance_window_is_to_come(state_api: StateApi) -> None:
    """By the clock of a place."""
    window = {
        **{key: SILENCE[key] for key in ("matchers", "reason")},
        "starts": "2033-05-20T22:00",
        "ends": "2033-05-21T02:00",
        "zone": "Europe/Berlin",
    }
    made = state_api.send("POST", "/api/v1/silences", window).json()
    assert made["state"] == "to come"
    assert made["ends_ns"] - made["starts_ns"] == 4 * NS_PER_HOUR


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/api/v1/silences", {**SILENCE, "reason": ""}, "reason"),
        ("/api/v1/silences", {k: v for k, v in SILENCE.items() if k != "reason"}, "reason"),
        ("/api/v1/silences", {**SILENCE, "duration": ""}, "a silence ends"),
        ("/api/v1/silences", {**SILENCE, "matchers": []}, "matchers"),
        ("/api/v1/silences", {**SILENCE, "matchers": ["rule=~("]}, "regular expression"),
        ("/api/v1/silences", {**SILENCE, "duration": "", "ends": "2034-01-01T00:00"}, "offset"),
        ("/api/v1/silences/9/end", {}, "reason"),
        (f"/api/v1/silences/{10**30}/end", {"reason": "done"}, "number"),
        ("/api/v1/silences", {**SILENCE, "zone": "Mars", "starts": "2034-01-01"}, "IANA zone"),
    ],
)
def test_what_is_missing_or_wrong_is_named(
    refusing_api: StateApi, path: str, body: dict[str, object], said: str
) -> None:
    """An act without a reason, or without an end, is none."""
    answer = refusing_api.send("POST", path, body)
    assert answer.status_code == 400
    assert said in answer.json()["detail"]
    assert refusing_api.audited() == []
