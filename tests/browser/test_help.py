"""Keys and links to what is shown, on every page."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from collector.core.times import iso_ns
from collector.store.connect import Connections
from tests.browser.conftest import Visit
from tests.conftest import ManualClock
from tests.support.dashboard.seed import TODAY_NS
from tests.support.dashboard.served import served

pytestmark = [pytest.mark.browser, pytest.mark.integration]


def test_link_is_to_this_moment_or_follows_the_clock(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """Whoever gets the link in a chat an hour later shall see what one saw."""
    page = visit.page
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        address = f"{pages.url}/alerts?window=1h&action=offer"
        page.goto(address)
        expect(page.locator("#alerts-title")).to_be_visible()
        page.keyboard.press("?")
        expect(page.locator("#help-dialog")).to_contain_text("Ctrl K")
        expect(page.locator("#help-dialog")).to_contain_text("zoom")
        link = page.locator("#help-link")
        expect(link).to_be_hidden()
        page.get_by_role("button", name="follows the clock").click()
        expect(link).to_have_value(f"{address}&tz=UTC")
        page.get_by_role("button", name="to this moment").click()
        expect(link).to_have_value(re.compile("until="))
        asked = parse_qs(urlsplit(link.input_value()).query)
        assert asked.keys() == {"window", "action", "until", "tz"}
        assert iso_ns(asked["until"][0]) is not None
        page.keyboard.press("Escape")
        expect(page.locator("#help-dialog")).to_be_hidden()

        page.locator("#alerts-range").fill("?")
        expect(page.locator("#help-dialog")).to_be_hidden()
        page.locator("#help-open").click()
        expect(page.locator("#help-dialog")).to_be_visible()
    assert visit.console_errors == []
    assert visit.foreign_requests == []
