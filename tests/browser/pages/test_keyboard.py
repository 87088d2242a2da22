"""An incident without a mouse: from the alert to the packets of a span, and back."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from tests.browser.conftest import Visit
from tests.conftest import ManualClock
from tests.support.dashboard.seed import TODAY_NS, Seed
from tests.support.dashboard.served import served

pytestmark = [pytest.mark.browser, pytest.mark.integration]

# More than the longest page has; without an end a trap would be walked round in for ever.
STOPS_MAX = 120
IS_AT = "selector => document.activeElement.matches(selector)"
RING = """() => {
    const style = getComputedStyle(document.activeElement);
    return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
}"""


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until something has the focus, and hold that it is seen to have it."""
    for _ in range(STOPS_MAX):
        page.keyboard.press("Tab")
        if page.evaluate(IS_AT, selector):
            assert page.evaluate(RING), f"{selector} has the focus, and nothing shows it"
            return
    raise AssertionError(f"{selector} is not reached by {STOPS_MAX} times Tab")


def outlives_refreshes(page: Page, selector: str, times: int = 2) -> None:
    """Hold that what has the focus still has it after the page was read again."""
    for _ in range(times):
        with page.expect_response("**/_dash-update-component*") as answer:
            pass
        answer.value.finished()
    assert page.evaluate(IS_AT, selector), f"a refresh took the focus from {selector}"


def test_list_of_decisions_stands_still_for_whoever_is_in_it(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """Each refresh threw out whoever read it by keyboard: the row had left the page."""
    page = visit.page
    rows = page.locator("#decisions-list .ag-center-cols-container .ag-row")
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        page.goto(f"{pages.url}/decisions?window=1h")
        expect(page.locator("#decisions-totals")).to_contain_text("decisions")
        outlives_refreshes(page, "body")
        rows.first.locator(".ag-cell[col-id=lost]").focus()
        rests = page.locator("#decisions-rests")
        expect(rests).to_have_text("Stands still while you are in the table.")
        first = rows.first.inner_text()
        seed = Seed(random.Random(1))
        seed.decision(TODAY_NS - NS_PER_S, 900_001)
        seed.insert(own_world.client())
        with page.expect_response("**/pulse"):  # every five seconds; the page reads each second
            pass
        assert rows.first.inner_text() == first
        assert page.evaluate(IS_AT, "#decisions-list .ag-cell[col-id=lost]")
        page.keyboard.press("ArrowDown")
        assert page.evaluate(IS_AT, "#decisions-list .ag-row[row-index='1'] .ag-cell")
        rows.first.locator(".ag-cell[col-id=lost]").hover()
        page.locator("#decisions-search").focus()
        with page.expect_response("**/pulse"):
            pass
        assert rows.first.inner_text() == first, "whoever clicks now means this row"
        page.mouse.move(0, 0)
        expect(rows.first).not_to_have_text(first)
        expect(rests).to_be_empty()
        page.locator("#decisions-list .ag-body-viewport").evaluate("each => (each.scrollTop = 90)")
        expect(rests).to_have_text("Stands still while you are in the table.")


def test_page_that_nobody_sees_is_not_read_until_it_is_seen(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """Each tab that was forgotten asked the store forty times a minute."""
    page = visit.page
    asked: list[str] = []
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        page.clock.install()
        page.goto(f"{pages.url}/decisions?window=1h")
        expect(page.locator("#decisions-totals")).to_contain_text("decisions")
        outlives_refreshes(page, "body")
        page.evaluate("Object.defineProperty(document, 'hidden', {value: true, writable: true})")
        page.on("request", lambda one: asked.append(one.url))
        page.clock.run_for(30_000)
        late = [url for url in asked if "_dash-update-component" in url]
        assert len(late) <= 1  # one may have been on its way
        assert any(url.endswith("/pulse") for url in asked)
        with page.expect_response("**/_dash-update-component*"):
            page.evaluate("document.hidden = false")
            page.clock.run_for(1_000)


def test_each_table_is_passed_over_with_one_key(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """Tab goes from cell to cell: whoever wants what stands below pressed it for each of them."""
    page, keys = visit.page, visit.page.keyboard
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        for path, table in (("/", "overview-alerts"), ("/decisions?window=1h", "decisions-list")):
            page.goto(pages.url + path)
            expect(page.locator(f"#{table} .ag-row").first).to_be_visible()
            box = f".grid-box:has(#{table})"
            tab_to(page, f"{box} > .skip")
            keys.press("Enter")
            keys.press("Tab")
            assert not page.evaluate(IS_AT, f"{box} *"), "the next stop is behind the table"
            keys.press("Shift+Tab")
            assert page.evaluate(IS_AT, f"{box} *"), "and the table is what was passed over"


def test_incident_is_followed_to_its_packets_and_back_by_keyboard_alone(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """Tab passed over every link in a table, and after each page began at the menu again."""
    page, keys = visit.page, visit.page.keyboard
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        page.goto(pages.url)
        cause = "#overview-alerts .ag-cell[col-id=what]"
        expect(page.locator(cause)).to_be_visible()
        tab_to(page, ".skip")
        keys.press("Enter")
        tab_to(page, cause)
        outlives_refreshes(page, cause)
        keys.press("Enter")

        page.wait_for_url("**/alerts/episode-1")
        expect(page.locator("#alert-title")).to_be_focused()
        exemplar = "#alert-exemplars a"
        expect(page.locator(exemplar).first).to_be_visible()
        tab_to(page, exemplar)
        outlives_refreshes(page, exemplar)
        keys.press("Enter")

        page.wait_for_url(re.compile(r"/decision\?id=d-"))
        expect(page.locator("#decision-title")).to_be_focused()
        expect(page.get_by_role("treeitem").first).to_be_visible()
        tab_to(page, "[role=tree]")
        keys.press("ArrowDown")
        keys.press("ArrowDown")
        keys.press("Enter")
        panel = page.locator(".wf-panel")
        expect(panel).to_contain_text("packets, linked by")
        expect(panel.get_by_role("heading").first).to_be_focused()
        keys.press("Escape")
        expect(page.get_by_role("tree")).to_be_focused()

        # A browser without a window has no key for it.
        page.go_back()
        page.wait_for_url("**/alerts/episode-1")
        expect(page.locator("#alert-title")).to_be_focused()
        page.go_back()
        page.wait_for_url(lambda url: url.partition("#")[0] == f"{pages.url}/")
        expect(page.locator("#overview-title")).to_be_focused()
    assert [error for error in visit.console_errors if "status of 404" not in error] == []
