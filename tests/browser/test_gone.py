"""What a page says when the service behind it does not answer any more."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.support.service import RunningService

pytestmark = [pytest.mark.browser, pytest.mark.integration]


def test_page_says_that_nobody_answers_and_takes_it_back(tmp_path: Path, visit: Visit) -> None:
    """It said `Live` beside figures of another time, on every page, for ever."""
    with RunningService(tmp_path) as service:
        page = visit.page
        page.goto(service.url)
        expect(page.locator("#overview-asof")).to_contain_text("as of")
        expect(page.locator("#pulse")).to_be_hidden()
        service.process.send_signal(signal.SIGSTOP)
        try:
            expect(page.locator("#pulse")).to_contain_text("No answer from Millworth for")
            # The menu works in the browser; the page that it leads to is not there.
            page.get_by_role("link", name="Decisions").click()
            expect(page.locator("#pulse")).to_contain_text("it is asked again by itself")
            assert page.evaluate("document.documentElement.classList.contains('gone')")
        finally:
            service.process.send_signal(signal.SIGCONT)
        expect(page.locator("#pulse")).to_be_hidden()
        assert not page.evaluate("document.documentElement.classList.contains('gone')")
        page.goto(service.url + "/health")
        service.kill()
        expect(page.locator("#pulse")).to_contain_text("No answer from Millworth for")


def test_page_goes_on_after_a_request_that_nobody_answered(tmp_path: Path, visit: Visit) -> None:
    """One connection that was cut stopped a page for good, which still said `Live`."""
    page = visit.page
    with RunningService(tmp_path) as service:
        page.goto(service.url)
        as_of = page.locator("#overview-asof")
        expect(as_of).to_contain_text("as of")
        with page.expect_event("requestfailed", lambda one: "_dash-update" in one.url):
            page.context.set_offline(True)
        shown = as_of.inner_text()
        page.context.set_offline(False)
        expect(as_of).not_to_have_text(shown)
        expect(as_of).to_contain_text("as of")
