"""A dollar pages once: what an alert was about begins no other."""

from __future__ import annotations

from tests.support.alerts.builders import rule
from tests.support.alerts.scene import INCIDENT_S, Scene

# Both incidents lie in one long window; the second is too small to begin an alert by itself.
HOUR = {"budget_share": 0.01, "long_window_s": 3_600, "short_window_s": 60}


def wait(scene: Scene, seconds: int) -> None:
    """Let quiet time pass, evaluated every ten seconds."""
    for _ in range(0, seconds, 10):
        scene.go_on(10)
        scene.judge()


def test_small_incident_after_an_alert_is_no_alert_and_a_large_one_is(scene: Scene) -> None:
    """Also after a restart: the end is in the state."""
    burn = rule(budget_usd=5_000.0, tiers=[HOUR], reset_window_s=30, keep_firing_s=0)
    scene.restart(rules=[burn])
    scene.go_on(INCIDENT_S + 1, slow_ms=120)
    scene.judge()
    wait(scene, 60)
    assert scene.events() == ["firing", "resolved"]
    scene.restart(rules=[burn])

    scene.go_on(4, slow_ms=120)  # $20, where $50 are too much
    scene.judge()
    wait(scene, 60)
    assert scene.events() == ["firing", "resolved"]

    scene.go_on(INCIDENT_S, slow_ms=120)
    wait(scene, 60)
    assert scene.events() == ["firing", "resolved", "firing", "resolved"]


def test_severity_that_is_changed_while_it_fires_is_of_the_next_alert(scene: Scene) -> None:
    """Its end went to whom the new severity is routed to: who had the ticket never saw it close."""
    ticket = rule(budget_usd=5_000.0, severity="ticket", reset_window_s=30, keep_firing_s=0)
    scene.restart(rules=[ticket])
    page = rule(budget_usd=5_000.0, reset_window_s=30, keep_firing_s=0)
    for _ in range(2):
        scene.go_on(INCIDENT_S, slow_ms=120)
        scene.judge()
        scene.deliver()
        scene.restart(rules=[page])
        wait(scene, 120)
        scene.deliver()

    told = [each.message for each in scene.receiver.deliveries]
    assert [(each["type"], each["data"]["severity"]) for each in told] == [
        ("alert.firing", "ticket"), ("alert.resolved", "ticket"),
        ("alert.firing", "page"), ("alert.resolved", "page"),
    ]  # fmt: skip
