"""Alerts of one cause are one incident, whoever is told and whatever is restarted."""

from __future__ import annotations

from typing import Any

from alerts.rules.threshold import ThresholdConfig
from collector.core.times import NS_PER_S
from tests.support.alerts.builders import rule
from tests.support.alerts.scene import HURT, INCIDENT_S, PER_SECOND, WELL, Scene, write_seconds
from tests.support.builders import decision_span, store_request, trace_request

SOON = rule(budget_usd=5_000.0, keep_firing_s=20.0)
OTHER = rule(name="other", budget_usd=4_000.0, keep_firing_s=20.0)
LATER = rule(name="whole", budget_for="all", budget_usd=5_000.0, keep_firing_s=20.0)


def test_rules_that_see_one_cause_are_one_incident(scene: Scene) -> None:
    """Of one pass, of a later one and over a restart; every message says so from the first on."""
    scene.restart(rules=[SOON, OTHER])
    scene.go_on(INCIDENT_S, slow_ms=120)
    scene.judge()
    scene.deliver()
    scene.restart(rules=[SOON, OTHER, LATER])
    scene.go_on(10, slow_ms=120)
    scene.judge()
    scene.deliver()
    for _ in range(12):
        scene.go_on(10)
        scene.judge()
        scene.deliver()

    messages = [each.message for each in scene.receiver.deliveries]
    told = [(each["data"]["rule"], each["type"].split(".")[1]) for each in messages]
    assert sorted(told[:2]) == [("burn", "firing"), ("other", "firing")]
    assert sorted(told[2:]) == [("burn", "resolved"), ("other", "resolved")]
    [incident] = {each["data"]["incident_id"] for each in messages}
    rows = scene.client.query(
        "SELECT rule, episode_id, to_state, incident_id FROM alert_events FINAL ORDER BY at_ns, seq"
    ).result_rows
    assert {row[3] for row in rows} == {incident}
    assert {row[0] for row in rows} == {"burn", "other", "whole"}
    assert rows[0][2] == "firing"
    assert incident in {row[1] for row in rows if row[0] != "whole"}


def test_wide_alert_that_fires_ties_nothing_together(scene: Scene) -> None:
    """It was explained by one class, then another failed, and all data of a service stopped."""
    narrow = rule(budget_usd=5_000.0, keep_firing_s=200.0)
    failing = ThresholdConfig(name="failing", figure="failed_ratio", above=0.5, live=True)
    scene.restart(rules=[LATER, narrow, failing], dead_man_seconds=60.0, dead_man_services=["shop"])
    request = trace_request(decision_span(start_ns=scene.end_ns), service="shop")
    store_request(scene.store, request, received_ns=scene.end_ns)
    scene.judge()
    loss = {"loss_usd": 5, "loss_low_usd": 5, "loss_high_usd": 5, "loss_squared": 5.0}
    failed: dict[str, Any] = {"action": "offer", "failed": PER_SECOND, **loss}
    for number in range(10):
        scene.go_on(10, slow_ms=120)
        if number > 3:
            write_seconds(scene.client, scene.end_ns - 10 * NS_PER_S, 10, WELL, **failed)
        scene.judge()

    query = "SELECT DISTINCT rule, action, incident_id FROM alert_events FINAL WHERE to_state = "
    incidents = {
        (rule_name, action): incident
        for rule_name, action, incident in scene.client.query(query + "'firing'").result_rows
    }
    assert incidents["whole", "*"] == incidents["burn", "checkout"]
    assert set(incidents) == {
        ("whole", "*"), ("burn", "checkout"), ("burn", "offer"), ("failing", "offer"),
        ("dead-man", ""), ("dead-man", "shop"),
    }  # fmt: skip
    assert incidents["failing", "offer"] == incidents["burn", "offer"], "the same decisions"
    assert incidents["dead-man", ""] == incidents["dead-man", "shop"], "they stopped together"
    assert len(set(incidents.values())) == 3


def test_what_happens_after_it_is_another_incident(scene: Scene) -> None:
    """An id that lives on would tie together what has nothing to do with each other."""
    found = []
    for _ in range(2):
        scene.go_on(INCIDENT_S, slow_ms=120)
        scene.judge()
        for _ in range(40):
            scene.go_on(10)
            scene.judge()
        scene.deliver()
        found.append(scene.receiver.deliveries[-1].message["data"])
    assert [each["region"] for each in found] == [HURT, HURT]
    assert found[0]["incident_id"] == found[0]["episode_id"]
    assert found[1]["incident_id"] == found[1]["episode_id"] != found[0]["episode_id"]
