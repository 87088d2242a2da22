"""`millworth vram decisions`: what the page lists, for whoever is not at a browser."""

from __future__ import annotations

import json
import random

from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from tests.support.dashboard.fixtures import Run
from tests.support.dashboard.seed import TODAY_NS, Seed


def test_decisions_are_listed_with_their_sum(store: Connections, run: Run) -> None:
    """The answer of `/api/v1`, as a table or as it is."""
    seed = Seed(random.Random(0))
    second_ns = TODAY_NS - 60 * NS_PER_S
    seed.decision(second_ns, 1, store_ms=100)
    seed.decision(second_ns - NS_PER_S, 2, action="[red]odd\x1b[2J")
    seed.cell(second_ns, decisions=1, late=1, loss="0.25")
    seed.tables["revenue_cells"][-1] |= {
        "lost_share": 0.5, "lost_share_low": 0.2, "lost_share_high": 0.9,
    }  # fmt: skip
    seed.insert(store.client())
    shown = run(
        "vram", "decisions", "--window", "24h", "--late", "--segment", "store", "--sort", "lost"
    )
    assert shown.exit_code == 0, shown.output
    assert "decision/store" in shown.output
    assert "1 decision, 1 late; $" in shown.output
    assert "\x1b[2J" not in run("vram", "decisions").output
    found = json.loads(run("vram", "decisions", "--window", "24h", "--limit", "1", "--json").stdout)
    assert [each["decision_id"] for each in found["decisions"]] == ["d-1"]
    more = run("vram", "decisions", "--window", "24h", "--limit", "1")
    assert f"--after '{found['next']}'" in more.output
    assert run("vram", "decisions", "--failed").stdout == "0 decisions, 0 late\n", "none lost any"
    assert "names no segment" in str(
        run("vram", "decisions", "--window", "24h", "--segment", "stores").exception
    )
