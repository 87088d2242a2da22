"""The first screen of a person on call: how much, where, since when, and the path beside it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from playwright.sync_api import expect

from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from tests.browser.conftest import Visit
from tests.conftest import ManualClock
from tests.support.dashboard.seed import TODAY_NS, Seed
from tests.support.dashboard.served import served

pytestmark = [pytest.mark.browser, pytest.mark.integration]


def test_decisions_of_a_time_are_reached_by_keyboard(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """The heat map took the focus, and neither arrows nor Enter did anything."""
    page, keys = visit.page, visit.page.keyboard
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        page.goto(f"{pages.url}/?window=1h&region=eu-west")
        box = page.locator("details", has=page.locator("#overview-heatmap-table"))
        box.locator("summary").focus()
        keys.press("Enter")
        decisions = box.locator("tbody tr").first.locator("td").nth(1).inner_text()
        box.get_by_role("link").first.focus()
        keys.press("Enter")
        page.wait_for_url("**/decisions?**region=eu-west&**sort=slowest**")
        totals = page.locator("#decisions-totals")
        expect(totals).to_contain_text(f"{decisions} decision")
        page.get_by_role("link", name="Skip the table").focus()
        keys.press("Enter")
        keys.press("Tab")
        expect(page.locator("#decisions-csv")).to_be_focused()


def test_overview_is_one_screen_and_its_path_follows_the_row(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """Nothing jumps, nothing has to be scrolled to, and a row says by its path what it is."""
    seed = Seed(random.Random(0))
    seed.alert(TODAY_NS - 9 * NS_PER_S, 1, "firing", episode_id="east", region="us-east")
    seed.insert(own_world.client())
    page = visit.page
    page.set_viewport_size({"width": 1440, "height": 900})
    page.add_init_script(
        "new PerformanceObserver(l => l.getEntries().forEach(e => {"
        " if (!e.hadRecentInput) window.jumped = (window.jumped || 0) + e.value; }))"
        ".observe({type: 'layout-shift', buffered: true})"
    )
    charts_library = (
        "performance.getEntriesByType('resource').filter(e => e.name.includes('plotly')).length"
    )
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        page.goto(f"{pages.url}/alerts")
        expect(page.locator("#alerts-list .ag-row").first).to_be_visible()
        assert page.evaluate(charts_library) == 0, "half a megabyte for a page without a chart"
        page.goto(pages.url)
        note = page.locator("#overview-path-note")
        expect(page.locator("#overview-now-value")).to_contain_text("/ h")
        expect(note).to_contain_text("following the costliest open alert")
        expect(page.locator("#overview-heatmap-note")).to_contain_text("Bands: alerts fire.")
        size = "e => parseFloat(getComputedStyle(e).fontSize)"
        sizes = [
            page.locator(f"#overview-{card}-value").evaluate(size)
            for card in ("now", "lost", "latency", "late", "velocity", "evidence")
        ]
        assert sizes[0] > sizes[1] > sizes[2]
        assert page.evaluate("document.documentElement.scrollHeight") <= 900
        assert page.evaluate("window.jumped || 0") <= 0.05
        expect(page.locator("#overview-path .js-plotly-plot")).to_be_visible()
        assert page.evaluate(charts_library) == 1
        rows = page.locator("#overview-alerts .ag-row")
        state = page.locator("#overview-alerts .ag-row[row-id='east'] .tag-firing:visible")
        assert rows.count() == 2
        state.hover()
        expect(note).to_contain_text("us-east · this row")
        page.mouse.move(2, 2)
        expect(note).to_contain_text("following the costliest open alert")
        state.click()
        page.mouse.move(2, 2)
        expect(note).to_contain_text("us-east · pinned")
        page.locator("#overview-alerts .ag-row[row-id='episode-1'] .ag-cell").first.focus()
        expect(note).to_contain_text("eu-west · this row")
        page.keyboard.press("Enter")
        expect(note).to_contain_text("eu-west · pinned")
        name = page.locator("#overview-alerts .ag-row[row-id='east'] a")
        name.hover()
        name.click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("us-east")
        expect(page.locator("#alert-timeline li").first).to_be_visible()
    # /pulse is of the whole service, which is not here.
    assert [error for error in visit.console_errors if "status of 404" not in error] == []
