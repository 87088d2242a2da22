"""A filter as a chip: taken on from page to page, explained where it does nothing, removed."""

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


def test_pickers_are_typed_in(own_world: Connections, visit: Visit, tmp_path: Path) -> None:
    """Who has hundreds of services does not scroll; what is no name leaves what was chosen."""
    page = visit.page
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        page.goto(f"{pages.url}/decisions")
        region = page.get_by_role("textbox", name="All regions")
        region.click()
        page.keyboard.type("WEST")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile("region=eu-west"))
        expect(page.locator("#decisions-chips")).to_contain_text("region: eu-west")
        region.click()
        page.keyboard.type("mars")
        expect(page.get_by_text("No such name")).to_be_visible()
        page.keyboard.press("Escape")
        page.locator("h1").click()
        expect(region).to_have_value("eu-west")
        region.click()
        page.get_by_role("option", name="All regions").click()
        expect(page.locator("#decisions-chips")).to_be_empty()
    assert visit.console_errors == []


def test_chips_go_along_and_one_click_removes_one(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """By mouse and by keyboard; back brings it again."""
    page = visit.page
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        page.goto(f"{pages.url}/explore?region=eu-west")
        shown = page.locator("#explore-chips")
        expect(shown).to_contain_text("region: eu-west")
        expect(page.locator("#explore-heat-note")).to_contain_text("5 decisions")
        # What draws it is loaded after the words are there, and takes the browser for a while.
        expect(page.locator("#explore-heatmap .nsewdrag")).to_be_visible()
        page.locator("#explore-add").fill("returning")
        page.get_by_role("option", name="returning").click()
        page.wait_for_url(re.compile("cohort=returning"))
        expect(shown).to_contain_text("cohort: returning")
        page.get_by_role("link", name="Overview").click()
        expect(page.locator("#overview-chips")).to_contain_text("cohort: returning (not applied")
        page.get_by_role("link", name="Decisions", exact=True).click()
        chips = page.locator("#decisions-chips")
        expect(chips).to_contain_text("cohort: returning")
        expect(page.locator("#decisions-totals")).to_contain_text("5 decisions")
        page.get_by_role("link", name="Remove region: eu-west").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#decisions-totals")).to_contain_text("15 decisions")
        expect(chips).not_to_contain_text("region")
        page.go_back()
        expect(chips).to_contain_text("region: eu-west")
        page.goto(f"{pages.url}/?region=mars&window=abc")
        faulty = page.locator("#overview-chips")
        expect(faulty).to_contain_text("region: mars (no decision has it)")
        expect(faulty).to_contain_text("'abc' is not a length of time")
    assert [error for error in visit.console_errors if "status of 404" not in error] == []
