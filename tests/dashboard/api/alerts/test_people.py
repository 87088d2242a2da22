from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from alerts.delivery.payload import Details
from alerts.delivery.payload import body as sent_body
from alerts.rows import Dollars, Owned
from alerts.rules.base import Wording
from alerts.state.deliveries import Deliveries
from alerts.state.proposal import Move, Proposal
from alerts.state.retry import DeliveryStatus, Step
from alerts.state.sqlite import Update
from alerts.state.subject import Subject
from alerts.state.transitions import Phase
from collector.core.config import StoreConfig
from collector.core.counters import Counters
from collector.core.times import NS_PER_HOUR, NS_PER_S
from collector.store.connect import Connections
from dashboard.api.app import create_api
from dashboard.api.context import AppContext
from dashboard.health.items import NoHealth
from tests.conftest import NOW_NS
from tests.support.alerts.builders import EPISODE, event, firing_state, message
from tests.support.alerts.scene import HURT
from tests.support.alerts.state_api import StateApi
from tests.support.dashboard.seed import Seed

SILENCE = {"matchers": ["region=~eu-.*"], "duration": "1h", "reason": "deploying"}


def test_alert_is_acknowledged_and_commented(state_api: StateApi) -> None:
    """And whoever looks sees by whom."""
    state_api.fire()
    ack = {"actor": "anna", "comment": "looking"}
    answer = state_api.send("POST", f"/api/v1/alerts/{EPISODE}/ack", ack).json()
    assert (answer["kind"], answer["at_ns"], answer["is_actionable"]) == ("ack", NOW_NS, None)
    said = {"actor": "bob", "comment": "it is the cache"}
    assert state_api.send("POST", f"/api/v1/alerts/{EPISODE}/comment", said).status_code == 200

    [alert] = state_api.send("GET", "/api/v1/alerts/open").json()["alerts"]
    assert alert["people"]["ack"]["actor"] == "anna"
    assert (alert["state"], alert["blamed"]) == ("firing", "decision/store")
    [incident] = state_api.send("GET", "/api/v1/alerts/open").json()["incidents"]
    assert (incident["incident_id"], incident["alerts"]) == (alert["incident_id"], 1)
    assert incident["at_risk"] is None
    history = state_api.send("GET", f"/api/v1/alerts/{EPISODE}").json()
    assert [note["text"] for note in history["notes"]] == ["looking", "it is the cache"]
    assert [event["to_state"] for event in history["events"]] == ["firing"]
    assert [row[:2] for row in state_api.audited()] == [
        ("anna", "alert_acknowledged"),
        ("bob", "alert_commented"),
    ]


def test_comment_without_a_word_is_refused(refusing_api: StateApi) -> None:
    """It would say that somebody said something."""
    answer = refusing_api.send("POST", f"/api/v1/alerts/{EPISODE}/comment", {"comment": " "})
    assert answer.status_code == 400
    assert "comment" in answer.json()["detail"]
    assert refusing_api.audited() == []


@pytest.mark.parametrize("actor", ["anna\nrelease", "\x1b[2Jbob", "a\u202enna"])
def test_name_that_cannot_be_shown_is_refused(state_api: StateApi, actor: str) -> None:
    """It stands in reports and on pages, and would begin a line there, or turn one around."""
    said = {"actor": actor, "comment": "looking"}
    answer = state_api.send("POST", f"/api/v1/alerts/{EPISODE}/ack", said)
    assert answer.status_code == 400
    assert "has a character that cannot be seen" in answer.json()["detail"]
    assert state_api.audited() == []


def test_router_that_lost_its_moves_finds_those_that_were_sent(state_api: StateApi) -> None:
    """What holds yet, and nothing that no webhook was sent: a rule in shadow moves nobody."""
    move, alert = Move("checkout", HURT, "tier1-a", "us-east"), dict[str, Any]()

    def proposed(made_ns: int) -> object:
        nonlocal alert
        state = firing_state(proposal=Proposal(move, made_ns, 5.0))
        state_api.state.record([Update(state, event(), (message(episode_id=EPISODE),))])
        [alert] = state_api.send("GET", "/api/v1/alerts/open").json()["alerts"]
        return alert["reroute"]

    assert proposed(NOW_NS) is None, "the message waits"
    outbox = Deliveries(state_api.state)
    due = outbox.next("router", NOW_NS)
    assert due is not None
    outbox.settle(due, Step(DeliveryStatus.DELIVERED, NOW_NS, ""), "http://r.test/", NOW_NS)
    assert proposed(NOW_NS) == {
        "mode": "propose",
        "move": {
            "action": "checkout", "region": HURT, "from_route": "tier1-a", "to_region": "us-east",
        },
        "expires_at": "2033-05-18T04:33:20.000Z",
        "expires_ns": NOW_NS + NS_PER_HOUR,
    }  # fmt: skip
    content = sent_body("alert.firing", event(at_ns=NOW_NS), Wording(), Details(move))
    sent = json.loads(content)["data"]
    sent["reroute"]["expires_ns"] = NOW_NS + NS_PER_HOUR
    names = ("episode_id", "seq", "action", "region", "reroute")
    assert [alert[name] for name in names] == [sent[name] for name in names]
    assert proposed(NOW_NS - NS_PER_HOUR) is None, "it has expired"


def test_what_cannot_be_judged_is_counted_though_it_never_fired(state_api: StateApi) -> None:
    """All data had stopped, and the answer was zeros: nobody knew whether anything would fire."""
    for name, is_shadow in (("a", False), ("b", True)):
        state = replace(
            firing_state(), episode_id=name, subject=Subject("checkout", name), started_ns=0,
            phase=Phase.INACTIVE, is_unknown=True,
        )  # fmt: skip
        silent = event(
            episode_id=name, region=name, to_state="unknown", started_ns=0, is_shadow=is_shadow
        )
        state_api.state.record([Update(state, silent)])
    answer = state_api.send("GET", "/api/v1/alerts/open").json()
    assert answer["alerts"] == []
    assert answer["counts"] == {"firing": 0, "cooling": 0, "unknown": 1, "shadow": 0}


def test_what_is_at_risk_by_silent_alerts_is_unknown_and_not_nothing(state_api: StateApi) -> None:
    """Whoever asked heard that an incident costs $0.00, with an interval of $0.00 to $0.00."""
    half = Dollars(Decimal(3), Decimal(2), Decimal(5))

    def answer(**states: str) -> dict[str, Any]:
        updates = [
            Update(
                replace(firing_state(), episode_id=name, subject=Subject("checkout", name)),
                event(episode_id=name, region=name, to_state=state),
            )
            for name, state in states.items()
        ]
        own = [
            Owned(name, NOW_NS, 0, half, Dollars() if state == "unknown" else half, "")
            for name, state in states.items()
        ]
        state_api.state.record(updates, NOW_NS, NOW_NS, own)
        found: dict[str, Any] = state_api.send("GET", "/api/v1/alerts/open").json()
        return found

    assert answer()["at_risk"]["usd"] == "0", "nothing fires"
    silent = answer(a="unknown")
    assert silent["at_risk"] is silent["incidents"][0]["at_risk"] is None
    assert silent["alerts"][0]["owned"]["at_risk"] is None
    assert silent["lost"]["usd"] == silent["alerts"][0]["owned"]["lost"]["usd"] == "3"
    known = answer(a="unknown", b="firing")
    assert (known["at_risk"]["usd"], known["counts"]["unknown"]) == ("3", 1)


def test_alerts_that_are_left_out_are_counted(state_api: StateApi) -> None:
    """A post-mortem of the API missed a quarter of the money, and nothing said so."""
    seed = Seed(random.Random(0))
    for number in range(60):
        seed.alert(NOW_NS - NS_PER_S, 1, "firing", episode_id=f"e{number}", at_risk=str(number))
    seed.insert(state_api.store.client())
    found = state_api.send("GET", "/api/v1/alerts").json()
    assert (len(found["alerts"]), found["total"], found["is_cut"]) == (60, 60, False)
    cut = state_api.send("GET", "/api/v1/alerts?limit=2").json()
    assert (len(cut["alerts"]), cut["total"], cut["is_cut"]) == (2, 60, True)
    for odd in ("0", "501", "many"):
        assert state_api.send("GET", f"/api/v1/alerts?limit={odd}").status_code == 400


def test_acknowledged_without_a_word(state_api: StateApi) -> None:
    """Who is called at night says what it was later."""
    state_api.fire()
    path = f"/api/v1/alerts/{EPISODE}"
    assert state_api.send("POST", f"{path}/ack", {"actor": "anna"}).json()["text"] == ""
    report = state_api.send("GET", f"{path}/report?format=markdown").text
    assert re.search(r"^- Acknowledged by anna at [-0-9T:.]+Z$", report, re.M), report


def test_alert_that_is_unknown_is_404(state_api: StateApi) -> None:
    """With where to look, also for whoever would act on it."""
    for answer in (
        state_api.send("GET", "/api/v1/alerts/nonsense"),
        state_api.send("POST", "/api/v1/alerts/nonsense/ack", {"comment": "looking"}),
        state_api.send("POST", "/api/v1/silences/9/end", {"reason": "done"}),
    ):
        assert answer.status_code == 404
        assert "millworth alerts " in answer.json()["detail"]
    assert state_api.audited() == []


def test_everything_works_while_the_store_is_away(tmp_path: Path) -> None:
    """That is when people need it."""
    nowhere = Connections(StoreConfig(url="http://127.0.0.1:1", timeout_seconds=1.0))
    api = StateApi(nowhere, tmp_path)
    api.fire()
    ack = {"comment": "looking"}
    for method, path, body in (
        ("GET", "/api/v1/alerts/open", None),
        ("GET", f"/api/v1/alerts/{EPISODE}", None),
        ("POST", f"/api/v1/alerts/{EPISODE}/ack", ack),
        ("POST", f"/api/v1/alerts/{EPISODE}/comment", ack),
        ("POST", "/api/v1/silences", SILENCE),
        ("POST", "/api/v1/silences/preview", {"matchers": SILENCE["matchers"]}),
        ("POST", "/api/v1/silences/1/end", {"reason": "done"}),
        ("GET", "/api/v1/silences", None),
        ("POST", "/api/v2/alerts", [{"labels": {"alertname": "x"}}]),
    ):
        answer = api.send(method, path, body)
        assert answer.status_code == 200, answer.text
    api.close()
    nowhere.close()


def test_process_without_the_state_says_who_has_it(store: Connections, tmp_path: Path) -> None:
    """A silence that hides nothing would be worse than none."""
    api = StateApi(store, tmp_path)
    api.app = create_api(AppContext(store, NoHealth(), Counters()))
    answer = api.send("POST", "/api/v1/silences", SILENCE)
    assert answer.status_code == 400
    assert "not on this machine" in answer.json()["detail"]
    found = api.send("GET", "/api/v1/alerts").json()
    assert (found["alerts"], found["external"], found["total"]) == ([], [], 0)
    api.close()
