"""The search by keyboard alone, on any page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from collector.store.connect import Connections
from tests.browser.conftest import Visit
from tests.conftest import ManualClock
from tests.support.dashboard.seed import TODAY_NS
from tests.support.dashboard.served import served

pytestmark = [pytest.mark.browser, pytest.mark.integration]


def test_search_goes_where_one_means_and_gives_the_focus_back(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """Ctrl K, letters, arrows, Enter; Esc leaves the page as it was."""
    page = visit.page
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        page.goto(f"{pages.url}/health")
        expect(page.locator("#health-title")).to_be_visible()
        before = page.locator("#search-open")
        before.focus()
        page.keyboard.press("Control+k")
        field, options = page.locator("#search-field"), page.locator("#search-list li")
        expect(field).to_be_focused()
        expect(options).to_have_count(9)
        page.keyboard.press("ArrowDown")
        expect(options.nth(1)).to_have_attribute("aria-selected", "true")
        expect(field).to_have_attribute("aria-activedescendant", "search-hit-1")
        page.keyboard.press("Escape")
        expect(page.locator("#search-dialog")).to_be_hidden()
        expect(before).to_be_focused()

        page.keyboard.press("Control+k")
        page.keyboard.type("d-12")
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(r"/decision\?id=d-12"))
        expect(page.locator("#search-dialog")).to_be_hidden()
        page.keyboard.press("Control+k")
        page.keyboard.type("zzzz")
        expect(page.locator("#search-said")).to_contain_text("Looked through: ids of decisions")
        page.keyboard.press("Control+a")
        page.keyboard.type("compare")
        expect(options.first).to_contain_text("millworth compare")
        page.keyboard.press("Enter")
        expect(page.locator("#search-said")).to_contain_text(re.compile("Copied|Ctrl C"))
        page.keyboard.press("Escape")
        page.go_back()
        page.wait_for_url(re.compile("/health$"))
    assert [error for error in visit.console_errors if "status of 404" not in error] == []
    assert visit.foreign_requests == []


def test_search_has_a_button_and_says_that_nobody_answers(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """By mouse; and a service that is gone is not an empty answer."""
    page = visit.page
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        page.goto(pages.url)
        page.locator("#search-open").click()
        page.locator("#search-field").fill("eu-w")
        page.locator("#search-list li", has_text="eu-west").first.click()
        page.wait_for_url(re.compile(r"/decisions\?region=eu-west"))
        expect(page.locator("#decisions-totals")).to_contain_text("5 decisions")
        page.route("**/api/v1/search*", lambda route: route.abort())
        page.locator("#search-open").click()
        expect(page.locator("#search-said")).to_contain_text("The search failed")
