"""From a range that somebody typed to the next page and back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.support.service import RunningService

pytestmark = [pytest.mark.browser, pytest.mark.integration, pytest.mark.alone]


def test_range_is_typed_kept_by_the_menu_and_left_by_back(tmp_path: Path, visit: Visit) -> None:
    """`10:00 to 10:05` was a URL that one had to write by hand, and the menu lost it."""
    with RunningService(tmp_path) as service:
        page = visit.page
        page.goto(service.url)
        shown, field = page.locator("#overview-asof"), page.locator("#overview-range")
        expect(shown).to_contain_text("as of")
        field.fill("ten o'clock")
        field.press("Enter")
        expect(page.get_by_text("is not a range of time")).to_be_visible()
        field.fill("2026-11-26 10:00..10:05")
        field.press("Enter")
        page.wait_for_url(re.compile(r"window=5m&until=2026-11-26T10%3A05"))
        expect(shown).to_contain_text("2026-11-26 10:00:00 to 10:05:00 UTC")
        expect(page.locator("#overview-live")).not_to_be_checked()
        page.get_by_role("link", name="Decisions").click()
        expect(page.locator("#decisions-asof")).to_contain_text("10:00:00 to 10:05:00 UTC")
        page.go_back()
        expect(shown).to_contain_text("10:00:00 to 10:05:00 UTC")
        page.go_back()
        expect(shown).to_contain_text("as of")
        assert visit.console_errors == []


def test_days_are_chosen_in_a_calendar(tmp_path: Path, visit: Visit) -> None:
    """Two clicks, of which the second may be on the same day; the keyboard reaches it."""
    with RunningService(tmp_path) as service:
        page = visit.page
        page.goto(f"{service.url}/alerts")
        expect(page.locator("#alerts-asof")).to_contain_text("as of")
        page.locator(".calendar").focus()
        page.keyboard.press("Enter")
        first = page.locator("#alerts-days").get_by_role("button", name=re.compile("^1 ")).first
        first.click()
        expect(page).to_have_url(re.compile("/alerts$"))
        first.click()
        page.wait_for_url(re.compile(r"window=1d&until=\d{4}-\d\d-02T00%3A00"))
        expect(page.locator("#alerts-asof")).to_contain_text("-01 00:00:00 to ")
        page.keyboard.press("Escape")
        expect(page.locator("#alerts-days")).to_be_hidden()
        assert visit.console_errors == []
