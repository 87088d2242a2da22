"""A budget that follows a calendar: a launch pages sooner, a closed market later."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerts.config import AlertsConfig
from alerts.replay.run import replay_rules
from collector.core.times import NS_PER_S
from dashboard.units import utc_iso
from tests.support.alerts.builders import rule
from tests.support.alerts.scene import INCIDENT_S, START_NS, Scene

DAY_S = 86_400


def calendar(path: Path, factor: float) -> dict[str, object]:
    """Return a calendar whose one event is the day of the scene."""
    starts, ends = (utc_iso(START_NS + part * DAY_S * NS_PER_S) for part in (-1, 1))
    path.write_text(f"starts,ends\n{starts},{ends}\n")
    return {"name": "planned", "path": path, "budget_factor": factor, "zone": "UTC"}


@pytest.mark.parametrize(
    ("slow_ms", "factor", "events"),
    [
        pytest.param(120, 1.0, ["firing"], id="a loss that pages"),
        pytest.param(120, 10.0, [], id="it does not while the market is closed"),
        pytest.param(24, 1.0, [], id="a loss that does not"),
        pytest.param(24, 0.2, ["firing"], id="it does in a launch"),
    ],
)
def test_budget_follows_its_calendar(
    scene: Scene, tmp_path: Path, slow_ms: int, factor: float, events: list[str]
) -> None:
    """Live and in the replay alike."""
    settings = {
        "rules": [rule(budget_usd=5_000.0, keep_firing_s=20.0, calendars=("planned",))],
        "calendars": [calendar(tmp_path / "planned.csv", factor)],
    }
    scene.restart(**settings)
    scene.go_on(INCIDENT_S, slow_ms=slow_ms)
    scene.judge()

    assert scene.events() == events
    config: AlertsConfig = scene.config(**settings)
    [found] = replay_rules(
        config, scene.store, scene.job.alert_state, START_NS, scene.end_ns + NS_PER_S
    )
    assert len(found.pages) == len(events)
    assert found.live_transitions == found.equal_transitions
    if events and factor != 1:
        [[reason]] = scene.client.query("SELECT reason FROM alert_events FINAL").result_rows
        assert "calendars allow 0.2 times the usual loss" in reason


def test_rule_cannot_name_a_calendar_that_is_not_there() -> None:
    """A typing error would leave the budget as it is."""
    with pytest.raises(ValueError, match="rule burn names the calendar 'planed'; there is none"):
        AlertsConfig(rules=(rule(calendars=("planed",)),))
