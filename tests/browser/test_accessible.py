"""What axe finds on every page, in both themes, on a screen and on a telephone."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from collector.store.connect import Connections
from tests.browser.conftest import NARROW, WIDE, Visit
from tests.conftest import ManualClock
from tests.support.dashboard.seed import TODAY_NS, Seed
from tests.support.dashboard.served import served
from tests.support.tree import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.integration]

AXE = ROOT / "tests/integration/node/node_modules/axe-core/axe.min.js"
SERIOUS = ("serious", "critical")
# By address what is there once the page is.
PAGES = {
    "/": "#overview-now-value:has-text('$')",
    "/alerts": "#alerts-list .ag-row",
    "/alerts/episode-1": "#alert-facts:has-text('Rule')",
    "/explore?brush=2033-05-18T03:32:30Z..2033-05-18T03:33:20Z&brush_ms=80..999": (
        "#explore-heat-note:has-text('decisions')"
    ),
    "/decisions": "#decisions-totals:has-text('decisions')",
    "/decision?id=d-12": "#decision-title:has-text('ms')",
    "/budgets": "#budgets-said:has-text('budget')",
    "/velocity": "#velocity-said:has-text('unknown')",
    "/network": "#network-pairs .ag-row",
    "/trust": "#trust-audit:has-text('chain')",
    "/health": "#health-wrong:has-text('packet.recorder')",
}
SCREENS = (WIDE, NARROW)


SETTLED = """() => Promise.all(document.getAnimations()
    .filter((each) => each.effect.getComputedTiming().endTime !== Infinity)
    .map((each) => each.finished.catch(() => null)))"""


# Axe looks at no placeholder. Of two colours the lighter one's luminance over the darker one's.
PALE = """() => {
  const parts = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (text) => parts(text).slice(0, 3)
    .map((each) => each / 255)
    .map((each) => (each <= 0.03928 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4))
    .reduce((sum, each, at) => sum + each * [0.2126, 0.7152, 0.0722][at], 0.05);
  const behind = (each) => {
    const own = getComputedStyle(each).backgroundColor;
    return parts(own)[3] === 0 && each.parentElement ? behind(each.parentElement) : own;
  };
  return [...document.querySelectorAll("[placeholder]")]
    .filter((each) => each.checkVisibility())
    .map((each) => [each, getComputedStyle(each, "::placeholder").color, behind(each)])
    .map(([each, text, back]) => [each, [light(text), light(back)].sort((a, b) => b - a)])
    .filter(([, [high, low]]) => high / low < 4.5)
    .map(([each, [high, low]]) => `placeholder ${each.placeholder}: ${(high / low).toFixed(2)}`);
}"""


def findings(page: Page) -> list[str]:
    """Return what axe calls serious: the rule, and the first element; and what is too pale."""
    page.evaluate(SETTLED)  # colours that fade are not yet those of the theme
    found: dict[str, Any] = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    pale: list[str] = page.evaluate(PALE)
    return pale + [
        f"{each['id']}: {each['nodes'][0]['html'][:200]} ({len(each['nodes'])} of them),"
        f" {each['nodes'][0]['failureSummary'][:300]}"
        for each in found["violations"]
        if each["impact"] in SERIOUS
    ]


def test_axe_finds_nothing_serious_on_any_page(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """Whoever is called at night may see little, use no mouse, or hear the page."""
    assert AXE.is_file(), "axe is not here; `make install-test` installs it"
    page, found = visit.page, list[str]()
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        for address, ready in PAGES.items():
            page.set_viewport_size(SCREENS[0])
            page.goto(f"{pages.url}{address}")
            expect(page.locator(ready).first).to_be_visible()
            # As a tool of the browser: our policy forbids pages to run what we did not send.
            page.evaluate(f"{AXE.read_text(encoding='utf-8')}; true")
            for screen in SCREENS:
                page.set_viewport_size(screen)
                for theme in ("light", "dark"):
                    page.emulate_media(color_scheme=theme)
                    page.wait_for_selector(f"html[data-mantine-color-scheme={theme}]")
                    where = f"{address}, {theme}, {screen['width']} px"
                    found += [f"{where}: {each}" for each in findings(page)]
        page.keyboard.press("Control+k")
        expect(page.locator("#search-list [role=option]").first).to_be_visible()
        found += [f"the search: {each}" for each in findings(page)]
    assert not found, "\n".join(found)


# What scrolls is cut on paper; of canvases and grids there are as many rows as are drawn.
CUT = """() => [...document.querySelectorAll("main *")]
  .filter(each => !each.closest(".ag-root-wrapper, .wf-scroll, .js-plotly-plot"))
  .filter(each => ["auto", "scroll"].includes(getComputedStyle(each).overflowY))
  .filter(each => each.scrollHeight > each.clientHeight + 1 && each.clientHeight > 0)
  .map(each => `${each.id || each.className}: ${each.clientHeight} of ${each.scrollHeight} px`)"""


def test_paper_has_all_that_scrolls_on_a_screen(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """A printed incident had lost its begin: when it fired, why, and who was paged."""
    seed = Seed(random.Random(0))
    for seq in range(2, 42):
        seed.alert(TODAY_NS - seq, seq, "firing", from_state="firing", reason=f"the {seq} th")
    seed.insert(own_world.client())
    page, found = visit.page, list[str]()
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        for address, ready in PAGES.items():
            page.goto(f"{pages.url}{address}")
            expect(page.locator(ready).first).to_be_visible()
            if address == "/alerts/episode-1":
                expect(page.locator(".timeline li").nth(30)).to_be_attached()
                assert "alert-timeline" in "".join(page.evaluate(CUT)), "on a screen it scrolls"
            page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
            for size in SCREENS:
                page.set_viewport_size(size)
                page.emulate_media(media="print")
                found += [f"{address}, {size['width']} px: {each}" for each in page.evaluate(CUT)]
                page.emulate_media(media="screen")
    assert not found, "\n".join(found)


def test_grid_that_paper_cuts_says_how_many_rows_are_there(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """Of thirty alerts some were printed, and nothing said that there are others."""
    seed = Seed(random.Random(0))
    for number in range(1, 31):
        seed.alert(TODAY_NS - number, 1, "firing", episode_id=f"e{number}", rule=f"rule-{number}")
    seed.insert(own_world.client())
    page = visit.page
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        page.goto(f"{pages.url}/alerts")
        expect(page.locator(PAGES["/alerts"]).first).to_be_visible()
        page.pdf()
        cut = page.locator(".grid-box[data-cut]")
        expect(cut).to_have_count(1)
        expect(cut).to_have_attribute("data-cut", re.compile("^7 of 31 rows are on this paper"))


def test_pages_say_the_same_on_paper_and_in_a_readers_own_colours(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """What nobody can press is not printed over the text; what a background says has a border."""
    page = visit.page
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        page.goto(f"{pages.url}/")
        expect(page.locator(PAGES["/"])).to_be_visible()
        menu = page.get_by_role("link", name="Overview", exact=True)
        expect(menu).to_be_visible()
        page.emulate_media(media="print")
        expect(menu).to_be_hidden()
        expect(page.locator(".mantine-AppShell-header")).to_have_css("position", "static")
        expect(page.locator("#overview-now-value")).to_be_visible()
        page.emulate_media(media="screen", forced_colors="active")
        expect(menu).to_have_css("outline-style", "solid")
        expect(page.locator(".interval-at").first).to_have_css("forced-color-adjust", "none")
