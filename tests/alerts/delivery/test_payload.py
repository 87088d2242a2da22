from __future__ import annotations

import json

from alerts.delivery.payload import BODY_BYTES_MAX, Details, body
from alerts.evidence.suspect import PathNow
from alerts.rules.base import NO_WORDING, Wording
from alerts.state.proposal import Move
from tests.support.alerts.builders import event


def test_body_of_an_alert_that_fires() -> None:
    """The whole body is public: a change here is a change for every receiver."""
    move = Move("checkout", "eu-west", "tier1-a", "us-east")
    words = Wording("", {60: 6}, "look at the store first", "https://runbooks.example/burn")
    path = PathNow(64, (12e6, 3e6, 96_200_400.0, 5e6), "before", (11e6, 3e6, 24e6, 5e6))
    shown = Details(move, ["d 1"], path)

    assert json.loads(body("alert.firing", event(incident_id="first"), words, shown)) == {
        "type": "alert.firing",
        "timestamp": "2033-05-18T03:33:20.000Z",
        "data": {
            "episode_id": "0" * 31 + "1",
            "incident_id": "first",
            "seq": 1,
            "rule": "burn",
            "severity": "page",
            "action": "checkout",
            "region": "eu-west",
            "started_at": "2033-05-18T03:33:20.000Z",
            "revenue_at_risk_usd_per_h": 7407.40734,
            "currency": "USD",
            "loss_usd": 123.456789,
            "low": 37.0,
            "high": 420.0,
            "basis": "margin",
            "slope_source": "prior",
            "burn": 533.3,
            "blamed_segment": "decision/store",
            "excess_ms": 120.0,
            "path": {
                "decisions": 64,
                "usual": "before",
                "stages": [
                    {"stage": "ingress", "ms": 12.0, "usual_ms": 11.0},
                    {"stage": "transform", "ms": 3.0, "usual_ms": 3.0},
                    {"stage": "decision", "ms": 96.2, "usual_ms": 24.0},
                    {"stage": "egress", "ms": 5.0, "usual_ms": 5.0},
                ],
            },
            "windows": {"long_s": 60, "short_s": 6},
            "exemplars": [{"decision_id": "d 1", "dashboard": "/decision?id=d%201"}],
            "reason": "because",
            "note": "look at the store first",
            "reroute": {
                "mode": "propose",
                "move": {
                    "action": "checkout",
                    "region": "eu-west",
                    "from_route": "tier1-a",
                    "to_region": "us-east",
                },
                "expires_at": "2033-05-18T04:33:20.000Z",
            },
            "runbook_url": "https://runbooks.example/burn",
            "dashboard": "/?episode=" + "0" * 31 + "1",
        },
    }


def test_unknown_is_null() -> None:
    """No blame is not the blame of nothing, and no proposal is not a move to nowhere."""
    data = json.loads(body("alert.resolved", event(blamed_stage=""), NO_WORDING))["data"]

    assert data["blamed_segment"] is None
    assert data["excess_ms"] is None
    assert data["reroute"] is None
    assert data["path"] is None
    assert data["incident_id"] == data["episode_id"]
    assert data["windows"] == {"long_s": 60, "short_s": None}


def test_path_without_anything_to_compare_with_has_nulls() -> None:
    """The first minutes of a class have no before."""
    shown = Details(path=PathNow(9, (1e6,) * 4, "", ()))
    path = json.loads(body("alert.firing", event(), NO_WORDING, shown))["data"]["path"]

    assert path["usual"] is None
    assert [each["usual_ms"] for each in path["stages"]] == [None] * 4


def test_money_that_nobody_knows_is_null() -> None:
    """Zero dollars would be an answer."""
    data = json.loads(body("alert.firing", event(basis="unknown"), NO_WORDING))["data"]

    money = ("revenue_at_risk_usd_per_h", "loss_usd", "low", "high")
    assert [data[name] for name in money] == [None] * 4
    assert data["basis"] == "unknown"


def test_body_stays_below_its_bound_whatever_a_span_carried() -> None:
    """Attributes are from outside: neither their length nor their characters are ours."""
    hostile = "\0" * 100_000 + "\ud800"
    widest = event(action=hostile, region=hostile, reason=hostile)
    words = Wording(note=hostile, runbook_url=hostile)

    move = Move(*("\0" * 200,) * 4)
    found = body("alert.firing", widest, words, Details(move, [hostile] * 3))
    assert json.loads(found)["data"]["reroute"] is not None
    assert len(found) < BODY_BYTES_MAX


def test_move_whose_names_are_too_long_is_none() -> None:
    """Cut at 200 characters two regions had one name, and a router moved nothing, or the other."""
    move = Move("checkout", "z" * 201, "", "us-east")
    data = json.loads(body("alert.firing", event(), NO_WORDING, Details(move)))["data"]
    assert data["reroute"] is None


def test_an_id_that_is_too_long_is_left_out_and_not_cut() -> None:
    """What is cut leads nowhere, and an alert is worth more than its examples."""
    ids = ["d" * 200, "\ud800", "d-1"]
    data = json.loads(body("alert.firing", event(), NO_WORDING, Details(exemplars=ids)))["data"]
    assert [each["decision_id"] for each in data["exemplars"]] == ["?", "d-1"]


def test_lone_surrogate_does_not_stop_a_page() -> None:
    """Text that cannot be encoded is replaced; the alert is worth more than the name."""
    assert b"?" in body("alert.firing", event(region="\ud800"), NO_WORDING)
