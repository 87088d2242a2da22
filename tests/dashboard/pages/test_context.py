from __future__ import annotations

import dataclasses

from attribution.core.config import AttributionConfig
from collector.core.times import NS_PER_DAY, NS_PER_MINUTE, NS_PER_S
from collector.store.connect import Connections
from collector.store.cursors import ATTRIBUTION_CURSOR, write_cursor
from dashboard.health.items import HealthItem, NoHealth
from dashboard.pages.context import PageContext
from dashboard.pages.overview import page as overview
from dashboard.pages.sources import Sources
from dashboard.read.decisions.listing import DecisionList
from dashboard.read.reader import Reader
from dashboard.read.rows import Evidence, Range, Reference
from dashboard.read.workers import SharedReads, Workers
from dashboard.settings.config import DashboardConfig
from tests.conftest import ManualClock
from tests.support.dashboard.app import page_context
from tests.support.dashboard.seed import TODAY_NS


class Waiting(NoHealth):
    """A service whose store takes nothing."""

    def health(self) -> list[HealthItem]:
        """Return for how long."""
        return [HealthItem("stage.stored", 531.8, "s behind", "bad", "do this")]


def test_page_is_as_old_as_what_is_not_stored_yet(own_world: Connections) -> None:
    """A store that takes nothing for ten minutes left `Live` and the clock beside old money."""
    write_cursor(own_world.client(), ATTRIBUTION_CURSOR, TODAY_NS)
    workers = Workers(1, "test")
    sources = Sources.over(own_world, AttributionConfig())
    well = PageContext(
        reader=Reader(own_world),
        health=NoHealth(),
        workers=workers,
        config=DashboardConfig(),
        clock=ManualClock(TODAY_NS),
        reference=Reference(80_000_000, {}),
        decisions=DecisionList(Reader(own_world), AttributionConfig(), Reference(80_000_000, {})),
        prior_basis="",
        compare=sources.analyst.compare,
        questions=workers,
        sources=sources,
    )
    shown = overview.show(overview.read(well, ""), "")
    assert shown["overview-asof.className"] == "note asof"
    shown = overview.show(
        overview.read(dataclasses.replace(well, health=Waiting(), shared=SharedReads()), ""), ""
    )
    assert "8.9 min ago" in str(shown["overview-asof.children"])
    assert shown["overview-asof.className"] == "note asof old"
    workers.close()


class CountingReader(Reader):
    """Counts how often every span of a range is looked at."""

    looked = 0

    def evidence(self, seen: Range) -> Evidence:
        """Count, and read."""
        self.looked += 1
        return super().evidence(seen)


def test_every_span_of_a_day_is_not_looked_at_by_each_refresh(own_world: Connections) -> None:
    """A page that was open for ten minutes had read ten million spans every five seconds."""
    reader = CountingReader(own_world)
    with page_context(reader, shared=SharedReads()) as context:
        for later_ns in (0, 5 * NS_PER_S, 10 * NS_PER_S):
            to_ns = TODAY_NS - TODAY_NS % NS_PER_MINUTE + later_ns
            found = context.evidence(Range(to_ns - NS_PER_DAY, to_ns))
        assert reader.looked == 1
        assert found.spans > 0
        for later_ns in (0, 5 * NS_PER_S):
            context.evidence(Range(TODAY_NS - NS_PER_MINUTE + later_ns, TODAY_NS + later_ns, "a"))
            context.evidence(Range(TODAY_NS - NS_PER_MINUTE + later_ns, TODAY_NS + later_ns, "b"))
        assert reader.looked > 2


def test_short_ranges_of_one_minute_do_not_answer_for_each_other(own_world: Connections) -> None:
    """The pickers of one frozen range would offer what only the other has."""
    with page_context(Reader(own_world), shared=SharedReads()) as context:
        begin_ns = TODAY_NS - NS_PER_MINUTE
        nothing = Range(begin_ns - 2 * NS_PER_DAY, begin_ns - 2 * NS_PER_DAY + NS_PER_MINUTE)
        assert context.offered(nothing).services == []
        seconds = [
            context.offered(Range(at_ns, at_ns + NS_PER_S)).services
            for at_ns in range(begin_ns, TODAY_NS, NS_PER_S)
        ]
        asked = [
            context.decisions.offered(Range(at_ns, at_ns + NS_PER_S)).services
            for at_ns in range(begin_ns, TODAY_NS, NS_PER_S)
        ]
        assert seconds == asked
        assert [] in seconds
        assert any(seconds)
