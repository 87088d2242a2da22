"""Proof before live: a new rule is in shadow, and a replay does what the rule did."""

from __future__ import annotations

from decimal import Decimal

import pytest

from alerts.replay.run import replay_rules
from alerts.rules.threshold import ThresholdConfig
from alerts.rules.tiers import DollarBurnConfig
from alerts.state.acts import Act
from alerts.state.promotions import Promotions
from alerts.state.subject import Subject
from collector.core.times import NS_PER_S
from tests.support.alerts.builders import rule
from tests.support.alerts.scene import HURT, INCIDENT_S, START_NS, Scene

SHADOW = rule(budget_usd=5_000.0, keep_firing_s=20.0, live=None)


def test_rule_is_in_shadow_until_it_is_promoted(scene: Scene) -> None:
    """It fires and is recorded, and nobody is told; promoted, what fires still goes out."""
    scene.restart(rules=[SHADOW])
    scene.go_on(INCIDENT_S + 1, slow_ms=120)
    scene.judge()
    assert scene.deliver() == 0
    assert scene.events() == ["firing"]
    shadow = scene.client.query("SELECT is_shadow FROM alert_events FINAL").result_rows
    assert shadow == [(True,)]

    Promotions(scene.job.alert_state).promote(
        "burn", Act("ada", scene.clock.ns), "two weeks were quiet"
    )
    scene.restart(rules=[SHADOW])
    assert scene.deliver() == 0, "a pass says first what is true now"
    scene.go_on(10, slow_ms=120)
    scene.judge()
    assert scene.deliver() == 1
    for _ in range(2):
        scene.go_on(60)
        scene.judge()
    scene.deliver()

    kinds = [delivery.kind for delivery in scene.receiver.deliveries]
    assert kinds == ["alert.firing", "alert.resolved"]


def test_pages_know_that_the_rule_of_an_alert_that_fires_was_promoted(scene: Scene) -> None:
    """Or the Overview would not show what somebody was paged for until the alert changes."""
    scene.restart(rules=[SHADOW])
    scene.go_on(INCIDENT_S + 1, slow_ms=120)
    scene.judge()
    suspect = scene.last("blamed_stage")
    why = scene.last("reason")

    Promotions(scene.job.alert_state).promote("burn", Act("ada", scene.clock.ns), "it is right")
    for _ in range(2):  # once, and not at each evaluation
        scene.go_on(1, slow_ms=120)
        scene.judge()

    assert scene.events() == ["firing"] * 3, "it was promoted, and told of"
    assert scene.last("is_shadow") is False
    assert scene.last("blamed_stage") == suspect
    query = "SELECT reason FROM alert_events FINAL WHERE region = 'eu-west' ORDER BY seq"
    [_, promoted, told] = [row[0] for row in scene.client.query(query).result_rows]
    assert promoted == f"{why}; delivery: rule burn was promoted"
    why, _, delivery = told.partition("; delivery: ")
    assert why.startswith("$")
    assert delivery == "held back for 1 s (rule burn is in shadow until it is promoted)"

    Promotions(scene.job.alert_state).demote("burn", Act("ada", scene.clock.ns), "it is not")
    scene.go_on(1, slow_ms=120)
    scene.judge()
    assert scene.last("is_shadow") is True
    assert scene.events() == ["firing"] * 4


def test_rule_that_fires_when_it_is_first_evaluated_is_in_shadow(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its very first transition says so, and goes to nobody; the log of the start names it."""
    scene.go_on(INCIDENT_S + 1, slow_ms=120)
    capsys.readouterr()
    scene.restart(rules=[rule(name="new", budget_usd=5_000.0, live=None)])
    logged = "".join(capsys.readouterr())
    assert "rules_in_shadow" in logged
    assert "page nobody until `millworth rules promote NAME`" in logged
    scene.judge()
    assert scene.deliver() == 0
    assert scene.job.routing.shadows == ["new"]
    rows = scene.client.query("SELECT rule, is_shadow FROM alert_events FINAL").result_rows
    assert rows == [("new", True)]


def test_ticket_waits_while_the_page_of_its_rule_says_the_same(scene: Scene) -> None:
    """One message for one loss; what is left of it when the page is over is a ticket."""
    page = {"budget_share": 0.01, "long_window_s": 60, "short_window_s": 6}
    ticket = {"budget_share": 0.001, "long_window_s": 120, "short_window_s": 12}
    burn = rule(
        budget_usd=5_000.0,
        keep_firing_s=0,
        tiers=[page, {**ticket, "severity": "ticket"}],
    )
    scene.restart(rules=[burn])
    assert scene.job.routing.shadows == []
    scene.go_on(INCIDENT_S + 1, slow_ms=120)
    scene.judge()
    scene.deliver()
    assert [delivery.message["data"]["rule"] for delivery in scene.receiver.deliveries] == ["burn"]

    for _ in range(4):
        scene.go_on(10, slow_ms=2)
        scene.judge()
        scene.deliver()

    told = [
        (delivery.message["data"]["rule"], delivery.kind) for delivery in scene.receiver.deliveries
    ]
    assert told[0] == ("burn", "alert.firing")
    assert sorted(told[1:]) == [("burn", "alert.resolved"), ("burn-ticket", "alert.firing")]


def test_rule_that_is_only_called_like_a_ticket_waits_for_nobody(scene: Scene) -> None:
    """Two entries of the settings are two rules, whatever their names."""
    page, other = rule(budget_usd=5_000.0), rule(name="burn-ticket", budget_usd=4_000.0)
    scene.restart(rules=[page, other])
    scene.go_on(INCIDENT_S + 1, slow_ms=120)
    scene.judge()
    scene.deliver()
    told = [delivery.message["data"]["rule"] for delivery in scene.receiver.deliveries]
    assert sorted(told) == ["burn", "burn-ticket"]


def test_episode_that_ends_in_shadow_is_told_to_nobody(scene: Scene) -> None:
    """Not when it fires, not when it ends, and not when the rule is promoted afterwards."""
    scene.restart(rules=[SHADOW])
    scene.go_on(INCIDENT_S + 1, slow_ms=120)
    scene.judge()
    scene.deliver()
    scene.go_on(110)
    scene.judge()
    scene.go_on(60)
    scene.judge()
    scene.deliver()
    assert scene.events()[-1] == "resolved"

    Promotions(scene.job.alert_state).promote("burn", Act("ada", scene.clock.ns), "good enough")
    scene.deliver()

    assert scene.receiver.deliveries == []


def test_replay_of_a_threshold_makes_every_transition_that_it_made(scene: Scene) -> None:
    """Pending, firing, cooling, a pause in the data and a restart: the same, to the instant."""
    late = ThresholdConfig(
        name="late", figure="late_ratio", above=0.4, window_length_s=30, for_s=15,
        keep_firing_s=20, live=True,
    )  # fmt: skip
    scene.restart(rules=[late], nodata_s=30.0)
    for seconds, slow_ms in ((40, 0), (60, 120), (90, 0), (20, 120), (60, 0), (None, 0), (60, 0)):
        for _ in range(0, seconds or 60, 10):
            if seconds is None:
                scene.end_ns += 10 * NS_PER_S  # nobody decides anything
            else:
                scene.go_on(10, slow_ms=slow_ms)
            scene.judge()
        scene.restart(rules=[late], nodata_s=30.0)
    made = scene.events()
    assert {"pending", "firing", "cooling", "resolved", "unknown"} <= set(made)
    config = scene.config(rules=[late], nodata_s=30.0)

    [report] = replay_rules(config, scene.store, scene.job.alert_state, START_NS, scene.end_ns + 1)

    assert report.live_transitions == report.equal_transitions
    assert report.live_transitions is not None
    assert report.live_transitions >= len(made)
    assert [page.region for page in report.pages] == [HURT] * len(report.pages) != []
    assert report.caught_usd is None
    assert "above 0.4" in report.pages[0].reason
    [slowest] = scene.client.query(
        "SELECT decision_id FROM attributions FINAL WHERE region = {r:String}"
        " AND ingress_ns >= {t:UInt64} - 30 * 1000000000 AND ingress_ns < {t:UInt64}"
        " ORDER BY total_ns DESC, decision_id LIMIT 1",
        parameters={"r": HURT, "t": report.pages[0].fired_ns},
    ).result_rows
    assert report.pages[0].exemplars[:1] == list(slowest)
    assert report.pages[0].began_ns is None


def test_replay_makes_every_transition_that_the_rule_made(scene: Scene) -> None:
    """Two incidents and a pause in the data, a restart between them: the same, to the instant."""
    tiers = [
        {"budget_share": 0.01, "long_window_s": 60, "short_window_s": 6},
        {"budget_share": 0.02, "long_window_s": 2_400, "short_window_s": 120},
    ]
    burn: DollarBurnConfig = rule(
        budget_usd=5_000.0, keep_firing_s=20.0, reset_window_s=30, tiers=tiers
    )
    scene.restart(rules=[burn], nodata_s=30.0)
    for seconds, slow_ms in ((40, 0), (40, 120), (150, 0), (30, 60), (130, 0), (40, 120), (60, 0)):
        for _ in range(0, seconds, 10):
            scene.go_on(10, slow_ms=slow_ms)
            scene.judge()
    scene.restart(rules=[burn], nodata_s=30.0)
    for _ in range(6):
        scene.end_ns += 10 * NS_PER_S  # nobody decides anything
        scene.judge()
    for _ in range(6):
        scene.go_on(10)
        scene.judge()
    made = scene.events()
    assert made.count("firing") >= 2
    assert "unknown" in made
    config = scene.config(rules=[burn], nodata_s=30.0)

    [report] = replay_rules(config, scene.store, scene.job.alert_state, START_NS, scene.end_ns)

    assert report.live_transitions == report.equal_transitions
    assert report.live_transitions is not None
    assert report.live_transitions > len(made)  # of both regions
    assert {page.region for page in report.pages} == {HURT}
    scene.deliver()
    live = [
        [each["decision_id"] for each in delivery.message["data"]["exemplars"]]
        for delivery in scene.receiver.deliveries
        if delivery.kind == "alert.firing"
    ]
    assert [page.exemplars for page in report.pages] == live
    assert all(len(set(exemplars)) == 3 for exemplars in live)
    assert all(page.focus == Subject("checkout", HURT) for page in report.pages)
    assert len(report.pages) == made.count("firing") - made.count("cooling") + made.count(
        "resolved"
    )
    lost = scene.client.query(
        "SELECT sum(loss_usd) FROM revenue_cells FINAL WHERE second_ns >= {f:UInt64}"
        " AND second_ns < {t:UInt64}",
        parameters={"f": START_NS, "t": report.to_ns},
    ).result_rows[0][0]
    sums = report.caught_usd, report.missed_usd, report.within_usd
    assert sum(each for each in sums if each is not None) == Decimal(lost)
    assert report.caught_usd
