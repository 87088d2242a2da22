from __future__ import annotations

from pathlib import Path

import pytest

from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from dashboard.cli.ask.rules.main import show_replay, show_rules, show_settled
from tests.conftest import NOW_NS
from tests.support.alerts.builders import rule
from tests.support.alerts.scene import HURT, write_seconds
from tests.support.alerts.state_api import StateApi


def test_person_sees_a_rule_proven_and_promotes_it(
    store: Connections, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """List, replay, promote: each says what the next needs."""
    api = StateApi(store, tmp_path, (rule(live=None),))
    begin_ns = NOW_NS - 3_000 * NS_PER_S
    for at_s, seconds, slow_ms in ((0, 300, 0), (300, 60, 1_200), (360, 1_200, 0), (1_560, 8, 90)):
        write_seconds(store.client(), begin_ns + at_s * NS_PER_S, seconds, HURT, slow_ms)

    show_rules(api.client, as_json=False)
    listed = capsys.readouterr().out
    assert "burn" in listed
    assert "shadow" in listed
    assert "millworth rules promote NAME" in listed

    show_replay(api.client, "1h", "", as_json=False)
    assert "not replayed: dead-man; what was known of them" in capsys.readouterr().out
    show_replay(api.client, "1h", "burn", as_json=False)
    replayed = capsys.readouterr().out
    assert "1 alert, 168.2 a week, 100% of them about 2 % of the budget or more" in replayed
    assert "USD caught 3,000.00, missed 30.00, within the budget 0.00" in replayed
    assert "first alert of a loss" in replayed
    [head, row] = [
        line.split() for line in replayed.splitlines() if "fired" in line or f"/{HURT}" in line
    ][:2]
    assert head[:4] == ["fired", "class", "lasted", "after"]
    assert row[1] == f"checkout/{HURT}"
    with_ids = [word.rstrip(",") for word in row if word.startswith(HURT)]
    assert len(with_ids) == 3

    body = {"reason": "it pages for money alone", "actor": "anna"}
    show_settled(api.client, "burn", "promote", body, as_json=False)
    assert (
        "rule burn is live; since 2033-05-18T03:33:20Z it fired 0 times" in capsys.readouterr().out
    )
    api.close()
