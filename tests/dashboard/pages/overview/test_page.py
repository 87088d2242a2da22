"""The first page, over a real store."""

from __future__ import annotations

import random

import pytest

from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from collector.store.cursors import ATTRIBUTION_CURSOR, write_cursor
from dashboard.pages.overview.page import read, show
from dashboard.read.reader import Reader
from dashboard.units import Zone
from tests.support.dashboard.app import page_context
from tests.support.dashboard.seed import ACTIONS, REGIONS, TODAY_NS, Seed

LAST_NS = TODAY_NS - 46 * NS_PER_S  # of the decisions of the world


def shown(store: Connections, after_s: int, query: str = "") -> dict[str, object]:
    """Return what the first reading shows so long after the world's last decision."""
    with page_context(Reader(store), LAST_NS + after_s * NS_PER_S) as context:
        return show(read(context, query), "")


@pytest.mark.parametrize("window", ["15m", "7d"])
def test_overview_of_data_that_stopped_knows_nothing(own_world: Connections, window: str) -> None:
    """Its largest word was `nothing, no live alert fires` until the dead-man fired.

    However long the range is: by a week it would have said so for a week.
    """
    seed = Seed(random.Random(0))
    over_ns = TODAY_NS - 10 * NS_PER_S
    seed.alert(over_ns, 3, "resolved", started_ns=TODAY_NS - 20 * NS_PER_S)
    for name in REGIONS:
        seed.alert(
            LAST_NS + 311 * NS_PER_S, 1, "unknown", episode_id=name, from_state="inactive",
            started_ns=0, region=name, basis="unknown",
        )  # fmt: skip
    seed.insert(own_world.client())
    write_cursor(own_world.client(), ATTRIBUTION_CURSOR, TODAY_NS)
    since = f"no decision since {Zone().dated_at(LAST_NS, LAST_NS + 400 * NS_PER_S)}"
    for query in (f"?window={window}", f"?window={window}&action={ACTIONS[0]}"):
        found = shown(own_world, 400, query)
        assert found["overview-now-value.children"] == "unknown"
        note = str(found["overview-now-note.children"])
        assert note.startswith("2 alerts cannot be judged, no decision since ")
        assert "no decision since " in str(found["overview-velocity-note.children"])
        assert found["overview-asof.children"] == since
        assert found["overview-asof.className"] == "note asof quiet"
    well = shown(own_world, 300, f"?window={window}")
    assert well["overview-now-value.children"] == "nothing", "that is not yet no data"
    assert str(well["overview-asof.children"]).startswith("as of ")


def test_nothing_is_not_said_of_decisions_of_which_nobody_knows_the_value(
    own_world: Connections,
) -> None:
    """Half of them failed, and the page said that nothing was at risk."""
    own_world.client().command(
        "ALTER TABLE revenue_cells UPDATE unvalued = decisions WHERE 1 SETTINGS mutations_sync = 1"
    )
    found = shown(own_world, 10)
    assert found["overview-now-value.children"] == "unknown"
    assert found["overview-now-note.children"] == "no decision of known value in 15m"


def test_store_without_a_decision_says_how_to_begin(store: Connections) -> None:
    """Nothing stopped where nothing ever came."""
    found = shown(store, 400)
    assert found["overview-asof.children"] in ("no data yet", "as of")
    assert found["overview-now-note.children"] == "no decision in this window"
    assert found["overview-start.hidden"] is False
