"""What an alert is put down to, by the kind of its rule and by how many decisions there are."""

from __future__ import annotations

from tests.support.alerts.builders import rule
from tests.support.alerts.scene import INCIDENT_S, PER_SECOND, Scene, go_on_losing


def test_threshold_of_failures_shows_what_failed_and_one_of_lateness_what_is_slow(
    scene: Scene,
) -> None:
    """The decisions that showed a rule of failures were the slowest, and nobody looked for more."""
    limit = {"kind": "threshold", "above": 0.05, "window_length_s": 60, "live": True}
    scene.restart(rules=[
        {"name": "errors", "figure": "failed_ratio", **limit},
        {"name": "slow", "figure": "slow_ratio", "target_ms": 100, **limit},
    ])  # fmt: skip
    go_on_losing(scene, INCIDENT_S, failed=1, late=PER_SECOND, slow_ms=120, store_ms=120)
    assert scene.judge() == 2
    assert scene.deliver() == 2
    errors, slow = sorted(
        (each.message["data"] for each in scene.receiver.deliveries), key=lambda data: data["rule"]
    )
    assert errors["reason"].startswith("9.7% of its decisions fail; failed_ratio 0.0966667 in 60 s")
    assert "slow_ratio 0.483333 over 100 ms in 60 s of 300 decisions, above 0.05" in slow["reason"]
    assert errors["blamed_segment"] == slow["blamed_segment"] == "decision/store"
    assert (errors["path"]["decisions"], errors["revenue_at_risk_usd_per_h"]) == (300, None)
    asked = scene.client.query("SELECT decision_id FROM attributions FINAL WHERE is_error")
    failed = {row[0] for row in asked.result_rows}
    shown = [{each["decision_id"] for each in data["exemplars"]} for data in (errors, slow)]
    assert shown[0] <= failed
    assert len(shown[0]) == 3
    assert not shown[1] <= failed


def test_share_of_few_is_of_the_longer_window(scene: Scene) -> None:
    """One of fifteen that failed, in three seconds, was paged as the seven percent that fail."""
    tier = {"budget_share": 0.0001, "long_window_s": 60, "short_window_s": 3}
    scene.restart(rules=[rule(tiers=[tier])])
    go_on_losing(scene, INCIDENT_S, late=1, slow_ms=120)
    go_on_losing(scene, 3, failed=1)
    assert scene.judge() == 1
    reason = str(scene.last("reason"))
    assert "decisions fail" not in reason, reason
