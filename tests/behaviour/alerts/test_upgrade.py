"""A state that was written before rules had kinds: nothing is lost, and nothing is sent twice."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from tests.conftest import ManualClock
from tests.support.alerts.scene import START_NS, Scene
from tests.support.builders import decision_span, store_request, trace_request

# A dump of alerts.sqlite with a dollar burn and two silences that fire; two webhooks wait.
BEFORE = Path(__file__).parents[2] / "data" / "alerts_before_kinds.txt"
WRITTEN_S = 270


def test_alerts_of_an_older_state_go_on_and_end(
    store: Connections, tmp_path: Path, clock: ManualClock
) -> None:
    """The same episodes, the next number, and one webhook for each that is still open."""
    with closing(sqlite3.connect(tmp_path / "alerts.sqlite")) as old:
        old.executescript(BEFORE.read_text())
    scene = Scene(store, tmp_path, clock)
    scene.restart(dead_man_seconds=60.0, dead_man_services=["shop"])
    scene.end_ns = START_NS + WRITTEN_S * NS_PER_S
    before = {state.key: state for state in scene.job.status().states}
    assert scene.job.status().firing == 3
    scene.clock.ns = scene.end_ns + 10 * NS_PER_S
    assert scene.deliver() == 2

    request = trace_request(decision_span(start_ns=scene.end_ns), service="shop")
    store_request(store, request, received_ns=scene.end_ns)
    for _ in range(12):
        scene.go_on(10)
        scene.judge()
        scene.deliver()

    rows = scene.client.query(
        "SELECT rule, action, region, argMax(to_state, seq), episode_id FROM alert_events FINAL"
        " GROUP BY ALL ORDER BY ALL"
    ).result_rows
    ended = {row[:4]: row[4] for row in rows if row[3] == "resolved"}
    assert ended == {
        (rule, subject.action, subject.region, "resolved"): before[rule, subject].episode_id
        for rule, subject in before
        if before[rule, subject].episode_id
    }
    kinds = [delivery.kind for delivery in scene.receiver.deliveries]
    assert (kinds.count("alert.firing"), kinds.count("alert.resolved")) == (4, 3)
    scene.close()
