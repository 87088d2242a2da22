from __future__ import annotations

import json

from alerts.delivery.payload import BODY_BYTES_MAX, body
from alerts.rules.base import NO_WORDING, Move, Wording
from tests.support.alerts.builders import event


def test_body_of_an_alert_that_fires() -> None:
    """The whole body is public: a change here is a change for every receiver."""
    move = Move("checkout", "eu-west", "tier1-a", "us-east")
    words = Wording("", {60: 6}, "look at the store first", "https://runbooks.example/burn")

    assert json.loads(body("alert.firing", event(), words, move, ["d 1"])) == {
        "type": "alert.firing",
        "timestamp": "2033-05-18T03:33:20.000Z",
        "data": {
            "episode_id": "0" * 31 + "1",
            "seq": 1,
            "rule": "burn",
            "severity": "page",
            "action": "checkout",
            "region": "eu-west",
            "started_at": "2033-05-18T03:33:20.000Z",
            "revenue_at_risk_usd_per_h": 7407.40734,
            "loss_usd": 123.456789,
            "low": 37.0,
            "high": 420.0,
            "basis": "margin",
            "slope_source": "prior",
            "burn": 533.3,
            "blamed_segment": "decision/store",
            "excess_ms": 120.0,
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
            },
            "runbook_url": "https://runbooks.example/burn",
            "dashboard": "/?episode=" + "0" * 31 + "1",
        },
    }


def test_unknown_is_null() -> None:
    """No blame is not the blame of nothing, and no proposal is not a move to nowhere."""
    data = json.loads(body("alert.resolved", event(blamed_stage=""), NO_WORDING, None))["data"]

    assert data["blamed_segment"] is None
    assert data["excess_ms"] is None
    assert data["reroute"] is None
    assert data["windows"] == {"long_s": 60, "short_s": None}


def test_money_that_nobody_knows_is_null() -> None:
    """Zero dollars would be an answer."""
    data = json.loads(body("alert.firing", event(basis="unknown"), NO_WORDING, None))["data"]

    money = ("revenue_at_risk_usd_per_h", "loss_usd", "low", "high")
    assert [data[name] for name in money] == [None] * 4
    assert data["basis"] == "unknown"


def test_body_stays_below_its_bound_whatever_a_span_carried() -> None:
    """Attributes are from outside: neither their length nor their characters are ours."""
    hostile = "\0" * 100_000 + "\ud800"
    widest = event(action=hostile, region=hostile, reason=hostile)
    words = Wording(note=hostile, runbook_url=hostile)

    assert len(body("alert.firing", widest, words, Move(*(hostile,) * 4))) < BODY_BYTES_MAX


def test_lone_surrogate_does_not_stop_a_page() -> None:
    """Text that cannot be encoded is replaced; the alert is worth more than the name."""
    assert b"?" in body("alert.firing", event(region="\ud800"), NO_WORDING, None)
