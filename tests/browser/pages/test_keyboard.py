"""An incident without a mouse: from the alert to the packets of a span, and back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from collector.store.connect import Connections
from tests.browser.conftest import Visit
from tests.conftest import ManualClock
from tests.support.dashboard.seed import TODAY_NS
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
