from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from alerts.people.matchers import parse_matchers
from alerts.state.sqlite import AlertStore, Update
from alerts.state.subject import ALL
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from dashboard.read.alerts.preview import preview
from dashboard.read.reader import Reader
from tests.conftest import NOW_NS
from tests.support.alerts.builders import event, firing_state
from tests.support.alerts.scene import HURT, WELL, write_seconds


def test_dollars_of_two_alerts_about_the_same_decisions_count_once(
    store: Connections, tmp_path: Path
) -> None:
    """Each says what it cost so far, and their sum is what was lost: $5 a second of each region."""
    memory = AlertStore(tmp_path / "alerts.sqlite")
    for region in (HURT, WELL):
        write_seconds(store.client(), NOW_NS - 60 * NS_PER_S, 70, region, slow_ms=120)
    wide = event(
        episode_id="b" * 32, region=ALL, window_s=30, started_ns=NOW_NS, at_ns=NOW_NS + NS_PER_S
    )
    memory.record([Update(firing_state(), event(window_s=60))])
    memory.record([Update(replace(firing_state(), rule="wide", episode_id="b" * 32), wide)])

    found = preview(
        memory, Reader(store), parse_matchers(["action=checkout"]), NOW_NS + 10 * NS_PER_S
    )

    losses = {each.region: each.loss_usd for each in found.past}
    assert losses == {HURT: Decimal(350), ALL: Decimal(2 * 5 * 40)}
    assert found.past_usd == Decimal(350 + 5 * 40)
    memory.close()
