"""Every page on a telephone and on a screen: nothing runs over or jumps, the point is seen."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from collector.store.connect import Connections
from collector.store.cursors import ATTRIBUTION_CURSOR, write_cursor
from dashboard.health.items import OUTCOMES, HealthItem, health_item
from dashboard.units import utc_iso
from tests.browser.conftest import NARROW, WIDE, Visit
from tests.conftest import ManualClock
from tests.support.dashboard.app import FixedHealth
from tests.support.dashboard.seed import TODAY_NS
from tests.support.dashboard.served import served

pytestmark = [pytest.mark.browser, pytest.mark.integration]

JUMPED_MAX = 0.05
# By address what has to be seen without scrolling: on call that is latency, dollars and the cause.
PAGES = {
    "/": (
        "#overview-now-value:has-text('/ h')",
        "#overview-latency-value:has-text('ms')",
        "#overview-alerts .ag-row:has-text('store slower by')",
    ),
    "/alerts": ("#alerts-list .ag-row:has-text('$')", "#alerts-list a:has-text('store slower')"),
    "/alerts/episode-1": (
        "#alert-title:has-text('store slower by 40 ms')",
        "#alert-risk-value:has-text('/ h')",
        "#alert-lost-value:has-text('$')",
    ),
    "/explore": ("#explore-heatmap .nsewdrag", "#explore-heat-note:has-text('decisions')"),
    "/decisions": (
        "#decisions-totals:has-text('lost')",
        "#decisions-list .ag-row:has-text('store')",
    ),
    "/decision?id=d-12": (
        "#decision-title:has-text('31.0 ms over target: decision/store took 66.0 ms')",
        "#decision-said:has-text('outcome')",
        "#decision-waterfall [role=treeitem]",
    ),
    # Of a range that stands still the head says more.
    f"/velocity?until={utc_iso(TODAY_NS)}Z": ("#velocity-said:has-text('unknown')",),
    "/budgets": ("#budgets-said:has-text('budget')", "#budgets-list .ag-row"),
    "/velocity": ("#velocity-said:has-text('unknown')",),
    "/network": ("#network-said:has-text('say')",),
    "/trust": ("#trust-said:has-text('proven')",),
    "/health": ("#health-said:has-text('received')", "#health-flow:has-text('Receive')"),
}
OVER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# What of a card is outside of it, and what of the head is outside of the window.
CUT_OFF = """() => {
  const out = (inner, outer) =>
    inner.right > outer.right + 1 || inner.bottom > outer.bottom + 1 || inner.left < outer.left - 1;
  const box = each => each.getBoundingClientRect();
  const cards = [...document.querySelectorAll(".kpis > *")].flatMap(card =>
    [...card.querySelectorAll("*")].filter(each => out(box(each), box(card))));
  const window_ = {left: 0, right: document.documentElement.clientWidth, bottom: 1e6};
  const head = [...document.querySelectorAll(".header *")].filter(each => out(box(each), window_));
  return [...cards, ...head].map(each => (each.id || each.className) + " " + each.textContent);
}"""
WATCH = """new PerformanceObserver(list => list.getEntries().forEach(each => {
    if (!each.hadRecentInput) { window.jumped = (window.jumped || 0) + each.value; }
})).observe({type: 'layout-shift', buffered: true})"""


def ends_at(page: Page, selector: str) -> float:
    """Return where the first of what is looked for begins to be out of the first screen, in px."""
    found = page.locator(selector).first
    expect(found).to_be_visible()
    box = found.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    return box["y"] + min(box["height"], 20)


def faults(page: Page, where: str) -> list[str]:
    """Return what is wrong with a page as it stands."""
    over, jumped = page.evaluate(OVER), page.evaluate("window.jumped || 0")
    found = [f"{where} runs over by {over} px"] if over > 0 else []
    return found + ([f"{where} jumps by {jumped:.3f}"] if jumped > JUMPED_MAX else [])


def test_first_screen_of_every_page_has_the_point_and_stands_still(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """Whoever is woken looks at a telephone, in the dark, and for five seconds."""
    page, found = visit.page, list[str]()
    write_cursor(own_world.client(), ATTRIBUTION_CURSOR, TODAY_NS)
    page.add_init_script(WATCH)
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        for address, seen in PAGES.items():
            for screen in (WIDE, NARROW):
                page.set_viewport_size(screen)
                page.goto(f"{pages.url}{address}")
                where = f"{address} at {screen['width']} px"
                lowest = {each: ends_at(page, each) for each in seen}
                found += [
                    f"{where}: {each} is at {y:.0f} px"
                    for each, y in lowest.items()
                    if y > screen["height"]
                ]
                found += faults(page, where)
            page.emulate_media(color_scheme="dark")
            page.wait_for_selector("html[data-mantine-color-scheme=dark]")
            found += faults(page, f"{address} in the dark")
            page.emulate_media(color_scheme="light")
    assert not found, "\n".join(found)


class Contradicted(FixedHealth):
    """A service whose outcomes contradict what its settings say of them."""

    def health(self) -> list[HealthItem]:
        """Return one more figure."""
        return [*super().health(), health_item(OUTCOMES, "contradicted", bad="they do")]


def test_cards_and_head_are_whole_at_every_width(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """What contradicts the dollars stood outside of their card, where nobody scrolls to."""
    page, found = visit.page, list[str]()
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS), health=Contradicted()) as pages:
        page.goto(pages.url)
        expect(page.get_by_text("outcomes contradict their mode")).to_have_count(2)
        expect(page.locator("#overview-evidence-note")).not_to_have_text("")
        for theme in ("Light", "Dark", "System"):
            page.locator("#theme").get_by_text(theme).click()
        for width in (320, 360, 412, 700, 1024, 1400):
            page.set_viewport_size({"width": width, "height": 900})
            found += [f"{width} px: {each}" for each in page.evaluate(CUT_OFF)]
    assert not found, "\n".join(found)


def test_sign_in_fits_a_telephone(own_world: Connections, visit: Visit, tmp_path: Path) -> None:
    """It is the first page of all where tokens are asked for."""
    page = visit.page
    page.set_viewport_size(NARROW)
    with served(own_world, tmp_path, tokens=[("anna", ("viewer",))]) as pages:
        page.goto(pages.url)
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
            assert ends_at(page, "button:has-text('Sign in')") <= NARROW["height"]
            assert page.evaluate(OVER) <= 0
