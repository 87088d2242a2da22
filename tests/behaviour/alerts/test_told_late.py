"""What was held back is told with what is true by then, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError

from alerts.people.matchers import parse_matchers
from alerts.people.silences import Silences
from alerts.people.window import Window
from alerts.state.acts import Act
from alerts.state.deliveries import Deliveries
from collector.core.times import NS_PER_S
from tests.support.alerts.builders import rule
from tests.support.alerts.receiver import ScriptedReceiver
from tests.support.alerts.scene import HURT, INCIDENT_S, PER_SECOND, WELL, Scene, write_seconds

NARROW = rule(budget_usd=5_000.0, keep_firing_s=10.0, reset_window_s=6)
WIDE = rule(
    name="whole", budget_for="all", budget_usd=5_000.0, keep_firing_s=60.0, reset_window_s=6
)


@pytest.fixture
def alertmanager() -> Iterator[ScriptedReceiver]:
    """One that takes what comes."""
    receiver = ScriptedReceiver()
    yield receiver
    receiver.stop()


def step(
    scene: Scene,
    seconds: int = 5,
    *,
    slow_ms: int = 0,
    lost: str = "0",
    regions: tuple[str, ...] = (WELL,),
) -> None:
    """Let checkout be slow in eu-west and offer fail at USD a second, and judge and send."""
    loss = Decimal(lost)
    for region in regions:
        failing: dict[str, Any] = {
            "loss_usd": loss,
            "loss_low_usd": loss,
            "loss_high_usd": loss,
            "loss_squared": float(loss) ** 2 / PER_SECOND,
            "action": "offer",
        }
        write_seconds(scene.client, scene.end_ns, seconds, region, **failing)
    scene.go_on(seconds, slow_ms=slow_ms)
    scene.judge()
    scene.deliver()
    scene.job.outlets.push_due(scene.clock.ns)


def told(scene: Scene) -> list[tuple[str, str, str]]:
    """Return the rule, the action and the kind of what the receiver took, in order."""
    return [
        (data["rule"], data["action"], each.kind)
        for each in scene.receiver.deliveries
        for data in [each.message["data"]]
    ]


def silence(scene: Scene, matcher: str, seconds: int) -> None:
    """Hide what matches for a time from now on."""
    window = Window(scene.clock.ns, scene.clock.ns + seconds * NS_PER_S)
    act = Act("anna", scene.clock.ns)
    Silences(scene.job.alert_state).make(parse_matchers([matcher]), window, act, "deploying")


@pytest.mark.parametrize("lost", ["2", "5", "20"])
def test_wide_alert_waits_for_the_narrow_one_that_explains_it_next(scene: Scene, lost: str) -> None:
    """One incident is over and another begins: each is a page of its own, and nothing else is."""
    scene.restart(rules=[NARROW, WIDE])
    step(scene, INCIDENT_S, slow_ms=120)
    for _ in range(2):
        step(scene)
    for _ in range(12):
        step(scene, lost=lost)

    assert sorted(told(scene)) == [
        ("burn", "checkout", "alert.firing"),
        ("burn", "checkout", "alert.resolved"),
        ("burn", "offer", "alert.firing"),
    ]


def test_wide_alert_gets_past_no_silence_of_what_burns(scene: Scene) -> None:
    """Who silenced an action has not asked to hear of it as of everything."""
    scene.restart(rules=[NARROW, WIDE])
    step(scene, INCIDENT_S, slow_ms=120)
    silence(scene, "action=offer", 1_000)
    for _ in range(2):
        step(scene)
    for _ in range(12):
        step(scene, lost="10")

    assert [each for each in told(scene) if each[1] != "checkout"] == []


def test_wide_alert_that_is_told_late_says_what_is_true_then(
    scene: Scene, alertmanager: ScriptedReceiver
) -> None:
    """Its figures, cause and proposal were those of an incident that is over."""
    peers = [{"url": alertmanager.url.removesuffix("/hook")}]
    settings: dict[str, Any] = {"rules": [NARROW, WIDE], "alertmanagers": peers}
    scene.restart(**settings)
    step(scene, INCIDENT_S, slow_ms=120)
    many = tuple(f"region-{number}" for number in range(8))
    # Each of eight classes loses too little for a page of its own.
    for number in range(24):
        if number == 8:
            scene.restart(**settings)
        step(scene, lost="0.25", regions=many)

    [late] = [each.message for each in scene.receiver.deliveries if "whole" in str(each.message)]
    data = late["data"]
    assert data["revenue_at_risk_usd_per_h"] == pytest.approx(2 * 3_600)
    assert (data["blamed_segment"], data["reroute"]) == (None, None)
    assert data["seq"] == 1
    assert data["incident_id"] == data["episode_id"], "not of the incident that is over"
    assert "; delivery: held back for " in data["reason"]
    assert "offer/region-" in data["reason"]
    assert {each["decision_id"].rpartition("-")[2] for each in data["exemplars"]} == {"offer"}
    pushed = [body for _, body in alertmanager.requests if b'"alertname":"whole"' in body]
    assert pushed
    assert all(b"$7,200.00/h" in body and b"blamed" not in body for body in pushed)


def test_silenced_alert_is_told_with_the_figures_of_now(scene: Scene) -> None:
    """It grew fourfold behind its silence; the timeline says when it was delivered."""
    silence(scene, "region=eu-west", 60)
    created_ns = 0
    for number in range(11):
        step(scene, 10, slow_ms=120 if number < 3 else 480)
        created_ns = created_ns or (scene.clock.ns if scene.events() else 0)
    [first] = scene.receiver.deliveries
    data = first.message["data"]
    assert data["revenue_at_risk_usd_per_h"] == pytest.approx(20 * 3_600)
    assert data["excess_ms"] == pytest.approx(480, abs=5)
    [delivery] = Deliveries(scene.job.alert_state).of_episode(data["episode_id"], 9)
    assert delivery.tried_ns > created_ns + 30 * NS_PER_S
    assert first.webhook_id == f"{data['episode_id']}-1-router"


def test_what_cools_when_its_silence_ends_is_told_to_nobody(scene: Scene) -> None:
    """It may be over: it is told of if it burns again."""
    scene.restart(rules=[rule(budget_usd=5_000.0, keep_firing_s=200.0, reset_window_s=6)])
    silence(scene, "region=eu-west", 60)
    step(scene, INCIDENT_S, slow_ms=120)
    for _ in range(8):
        step(scene, 10)
    assert told(scene) == []

    step(scene, 10, slow_ms=120)
    assert told(scene) == [("burn", "checkout", "alert.firing")]


def test_alert_is_told_without_the_store_when_its_silence_ends(scene: Scene) -> None:
    """As it began, and without its proposal: nobody knows whether that is still right."""
    silence(scene, "region=eu-west", 60)
    for _ in range(4):
        step(scene, 10, slow_ms=120)
    for seconds in (25, 60):
        assert scene.receiver.deliveries == []
        scene.clock.ns += seconds * NS_PER_S
        scene.deliver()
    [late] = [each.message["data"] for each in scene.receiver.deliveries]
    assert late["region"] == HURT
    assert late["reroute"] is None


def test_class_that_fell_silent_behind_its_silence_is_told_of(scene: Scene) -> None:
    """It was deployed to death: that nothing is known any more is what is true then."""
    silence(scene, "region=eu-west", 120)
    step(scene, INCIDENT_S, slow_ms=120)
    for _ in range(9):
        assert told(scene) == []
        scene.go_on(10, regions=(WELL,))
        scene.judge()
        scene.deliver()
    [late] = [each.message["data"] for each in scene.receiver.deliveries]
    assert late["reason"] == "no decisions of checkout/eu-west for 70 s"
    assert (late["region"], late["reroute"]) == (HURT, None)


def test_alert_whose_evidence_cannot_be_read_is_told_all_the_same(scene: Scene) -> None:
    """After a minute of passes that could not say what is true; figures alone are no reason."""
    silence(scene, "region=eu-west", 60)
    for _ in range(4):
        step(scene, 10, slow_ms=120)
    took: list[int] = []
    for _ in range(12):
        scene.go_on(10, slow_ms=120)
        scene.client.command("RENAME TABLE attributions TO attributions_away")
        with suppress(ClickHouseError):  # from when it would be told of
            scene.judge()
        scene.client.command("RENAME TABLE attributions_away TO attributions")
        scene.deliver()
        took.append(len(scene.receiver.deliveries))
    assert scene.job.last_pass is not None
    assert scene.job.last_pass.failed == 1
    assert (took[4], took[-1]) == (0, 1)
    assert scene.receiver.deliveries[0].message["data"]["reroute"] is None
