from __future__ import annotations

from alerts.people import external
from collector.auth.tokens import Scope
from dashboard.api.alerts.postable import BYTES_MAX
from dashboard.web.roles import TABLE
from tests.support.alerts.state_api import StateApi

POST = "/api/v2/alerts"
ALERT = {"labels": {"alertname": "HighErrors"}, "annotations": {"summary": "<b>\x1b[2J"}}


def test_alert_of_others_is_beside_the_money(state_api: StateApi) -> None:
    """Marked as what it is, and its text as it came."""
    answer = state_api.send("POST", POST, [ALERT])
    assert (answer.status_code, answer.content) == (200, b"")

    answered = state_api.send("GET", "/api/v1/alerts").json()
    assert answered["alerts"] == []
    [alert] = answered["external"]
    assert (alert["source"], alert["is_firing"]) == ("external", True)
    assert alert["labels"] == ALERT["labels"]
    assert alert["annotations"] == ALERT["annotations"]


def test_what_is_right_in_a_request_is_kept(state_api: StateApi) -> None:
    """As in Alertmanager, which senders are written for."""
    answer = state_api.send("POST", POST, [{}, ALERT, *[{"labels": 1}] * 7])

    assert answer.status_code == 400
    assert answer.json().startswith("alert 0: has no labels")
    assert "and 3 more; the others were kept" in answer.json()
    assert len(state_api.send("GET", "/api/v1/alerts").json()["external"]) == 1


def test_request_is_bounded(state_api: StateApi) -> None:
    """Before it is parsed."""
    long = {**ALERT, "annotations": {"summary": "x" * BYTES_MAX}}
    answer = state_api.send("POST", POST, [long])
    assert answer.status_code == 413
    assert "1,048,576 bytes" in answer.json()


def test_full_house_is_said(state_api: StateApi) -> None:
    """The sender comes again; what it sends every minute is not lost by one refusal."""
    alerts = [{"labels": {"n": str(n)}} for n in range(1_000)]
    for tens in range(external.ALERTS_MAX // 1_000):
        labels = [{"labels": {**each["labels"], "tens": str(tens)}} for each in alerts]
        assert state_api.send("POST", POST, labels).status_code == 200
    answer = state_api.send("POST", POST, [ALERT])
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")


def test_sender_needs_a_token_for_alerts_alone() -> None:
    """Prometheus must not be able to do more."""
    assert [route for route, need in TABLE.items() if need.scope is Scope.ALERTS] == [
        f"POST {POST}"
    ]
