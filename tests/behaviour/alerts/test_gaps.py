"""Data that pause, or come late: an alert is unknown no longer than it has to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerts.state.transitions import Phase
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from collector.store.cursors import write_cursor
from tests.conftest import ManualClock
from tests.support.alerts.scene import CALM_S, HURT, INCIDENT_S, Scene

NODATA_S = 30.0
# What brings the class to each state, by the rule of the scene: it fires at once, cools for 20 s.
STATES = {
    "inactive": (),
    "firing": ((INCIDENT_S, 120),),
    "cooling": ((INCIDENT_S, 120), (10, 0)),
    "resolved": ((INCIDENT_S, 120), (110, 0)),
}


@pytest.fixture
def hasty(store: Connections, tmp_path: Path, clock: ManualClock) -> Scene:
    """Return a scene in which half a minute of silence is unknown, as in the demo."""
    scene = Scene(store, tmp_path, clock)
    scene.restart(nodata_s=NODATA_S)
    scene.go_on(CALM_S)
    scene.judge()
    return scene


def pass_time(scene: Scene, seconds: int, slow_ms: int = 0) -> None:
    """Let time pass, judged every ten seconds."""
    for _ in range(0, seconds, 10):
        scene.go_on(10, slow_ms=slow_ms)
        scene.judge()


def stand_still(scene: Scene, seconds: int) -> None:
    """Let time pass in which nothing comes."""
    for _ in range(5):
        scene.end_ns += seconds * NS_PER_S // 5
        scene.judge()


def shown(scene: Scene) -> Phase:
    """Return what is shown of the class that may hurt."""
    states = scene.job.status().states
    return next((s.shown for s in states if s.subject.region == HURT), Phase.INACTIVE)


@pytest.mark.parametrize("gap_s", [10, 40, 600])
@pytest.mark.parametrize("before", STATES)
def test_data_after_a_gap_end_unknown_and_the_next_incident_fires(
    hasty: Scene, before: str, gap_s: int
) -> None:
    """A pause of a sender, a restart of ours: whatever was shown when it began."""
    for seconds, slow_ms in STATES[before]:
        pass_time(hasty, seconds, slow_ms)
    assert shown(hasty) is Phase(before)
    stand_still(hasty, gap_s)
    # A silence after an episode that is over is not a part of it.
    assert (shown(hasty) is Phase.UNKNOWN) == (gap_s > NODATA_S)
    pass_time(hasty, 120)
    assert shown(hasty) in (Phase.INACTIVE, Phase.RESOLVED)
    fired = hasty.events().count("firing")
    pass_time(hasty, INCIDENT_S, slow_ms=120)
    assert shown(hasty) is Phase.FIRING
    assert hasty.events().count("firing") == fired + 1
    hasty.close()


@pytest.mark.parametrize("behind_s", [20, 45, 600])
def test_attribution_that_is_behind_is_no_silence(hasty: Scene, behind_s: int) -> None:
    """On a busy machine dollars are late for as long as it is busy: alerts are late, not blind."""
    seen = []

    def judge_late() -> None:
        write_cursor(hasty.client, "attribution", hasty.end_ns + 10 * NS_PER_S)
        hasty.clock.ns = hasty.end_ns + (9 + behind_s) * NS_PER_S
        hasty.job.run_once(hasty.clock.ns)
        seen.append(shown(hasty))

    for slow_ms, seconds in ((0, 60), (120, INCIDENT_S), (0, 120), (120, INCIDENT_S)):
        for _ in range(0, seconds, 10):
            hasty.go_on(10, slow_ms=slow_ms)
            judge_late()
    assert Phase.UNKNOWN not in seen
    assert hasty.events().count("firing") == 2
    hasty.close()


def test_a_silence_is_one_once_attribution_has_seen_it(hasty: Scene) -> None:
    """What is up to date and shows nothing is silence, and is said."""
    write_cursor(hasty.client, "attribution", hasty.end_ns)
    hasty.end_ns += 60 * NS_PER_S
    hasty.judge()
    assert shown(hasty) is Phase.INACTIVE
    write_cursor(hasty.client, "attribution", hasty.end_ns)
    hasty.judge()
    assert shown(hasty) is Phase.UNKNOWN
    hasty.close()
