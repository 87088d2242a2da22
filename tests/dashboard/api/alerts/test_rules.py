from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from alerts.rules.tiers import DollarBurnConfig
from alerts.state.promotions import Promotions
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from tests.conftest import NOW_NS
from tests.support.alerts.builders import rule
from tests.support.alerts.scene import HURT, write_seconds
from tests.support.alerts.state_api import StateApi

RULES = (rule(name="burn", live=None), DollarBurnConfig(name="shop", budget_usd=1_000, live=True))
WHY = {"actor": "anna", "reason": "two weeks without a false page"}


@pytest.fixture
def rules_api(store: Connections, tmp_path: Path) -> Iterator[StateApi]:
    """Yield an application with one rule that waits for its promotion, and one that is live."""
    api = StateApi(store, tmp_path, RULES)
    yield api
    api.close()


def test_rules_are_listed_with_their_record(rules_api: StateApi) -> None:
    """Whoever promotes a rule sees what it would have done."""
    Promotions(rules_api.state).see(["burn"], NOW_NS - NS_PER_S)
    rules_api.fire()
    write_seconds(rules_api.store.client(), NOW_NS - 10 * NS_PER_S, 10, HURT, slow_ms=120)

    rules = rules_api.send("GET", "/api/v1/rules").json()["rules"]

    assert [(each["name"], each["state"], each["settled_by"]) for each in rules] == [
        ("dead-man", "live", "settings"),
        ("burn", "shadow", ""),
        ("shop", "live", "settings"),
        ("shop-ticket", "live", "settings"),
    ]
    burn = rules[1]
    assert (burn["fired"], burn["fires"], burn["loss_usd"]) == (1, 1, "50.000000")
    assert burn["first_ns"] == NOW_NS - NS_PER_S


def test_record_is_of_all_that_alerts_cost(rules_api: StateApi) -> None:
    """What the last window held when they ended was a fraction of it, and grew less with time."""
    ended_ns = NOW_NS + 120 * NS_PER_S
    write_seconds(rules_api.store.client(), NOW_NS, 60, HURT, slow_ms=120)
    write_seconds(rules_api.store.client(), NOW_NS + 60 * NS_PER_S, 600, HURT)
    rules_api.fire()
    rules_api.fire(seq=2, at_ns=ended_ns, to_state="resolved", loss_usd=Decimal(1))
    rules_api.clock.ns = NOW_NS + 600 * NS_PER_S

    rules = rules_api.send("GET", "/api/v1/rules").json()["rules"]

    assert (rules[1]["fired"], rules[1]["fires"], rules[1]["loss_usd"]) == (1, 0, "300.000000")


def test_loss_of_alerts_without_dollars_is_unknown(rules_api: StateApi) -> None:
    """Rules of kinds that know none fire too: that is not a loss of nothing."""
    rules_api.fire(basis="unknown", loss_usd=Decimal(0))
    rules = rules_api.send("GET", "/api/v1/rules").json()["rules"]
    assert [each["loss_usd"] for each in rules] == ["0", None, "0", "0"]


def test_rule_is_promoted_and_demoted_with_a_reason(rules_api: StateApi) -> None:
    """The audit holds who let a rule wake people."""
    promoted = rules_api.send("POST", "/api/v1/rules/burn/promote", WHY).json()
    assert (promoted["state"], promoted["settled_by"]) == ("live", "anna")
    assert promoted["promoted_ns"] == NOW_NS
    demoted = rules_api.send("POST", "/api/v1/rules/burn/demote", WHY).json()
    assert (demoted["state"], demoted["promoted_ns"]) == ("shadow", None)
    assert [row[:2] for row in rules_api.audited()] == [
        ("anna", "rule_promoted"),
        ("anna", "rule_demoted"),
    ]


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        pytest.param("x/promote", WHY, 404, "no rule is called 'x'; there are dead-man", id="no"),
        pytest.param("shop/demote", WHY, 409, "live = true in the settings", id="settings decide"),
        pytest.param("dead-man/demote", WHY, 409, "made by alerts.dead_man_seconds", id="made"),
        pytest.param("burn/promote", {"actor": "anna"}, 400, "reason", id="no reason"),
    ],
)
def test_mistake_says_what_to_do(
    rules_api: StateApi, path: str, body: dict[str, str], status: int, message: str
) -> None:
    """Nothing is promoted by accident."""
    answer = rules_api.send("POST", f"/api/v1/rules/{path}", body)
    assert (answer.status_code, message in answer.text) == (status, True), answer.text


def test_replay_answers_with_pages_and_dollars(rules_api: StateApi) -> None:
    """An incident of an hour ago that no service saw is replayed at even instants."""
    begin_ns = NOW_NS - 3_600 * NS_PER_S
    write_seconds(rules_api.store.client(), begin_ns, 300, HURT)
    write_seconds(rules_api.store.client(), begin_ns + 300 * NS_PER_S, 60, HURT, slow_ms=1_200)
    write_seconds(rules_api.store.client(), begin_ns + 360 * NS_PER_S, 600, HURT)

    answer = rules_api.send("GET", "/api/v1/rules/replay?last=2h&rule=burn").json()

    [report] = answer["reports"]
    assert answer["not_replayed"] == []  # it was not asked for
    [page] = report["pages"]
    assert (page["action"], page["region"]) == ("checkout", HURT)
    assert begin_ns + 300 * NS_PER_S < page["fired_ns"] < begin_ns + 360 * NS_PER_S
    assert page["began_ns"] < page["fired_ns"] < page["ended_ns"]
    assert report["lead_p50_s"] == (page["ended_ns"] - page["fired_ns"]) / NS_PER_S
    assert len(page["exemplars"]) == 3
    assert (report["caught_usd"], report["missed_usd"]) == ("3000", "0")
    assert (report["silent"], report["live_transitions"]) == ([], None)
    everything = rules_api.send("GET", "/api/v1/rules/replay?last=2h").json()
    assert everything["not_replayed"] == ["dead-man"]
    assert "dead-man" not in {each["rule"] for each in everything["reports"]}
    refused = rules_api.send("GET", "/api/v1/rules/replay?rule=dead-man")
    assert (refused.status_code, "no rule that can be replayed" in refused.text) == (404, True)
