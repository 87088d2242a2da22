"""What a page says when the service behind it does not answer any more."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from collector.store.connect import Connections
from dashboard.units import utc_iso
from tests.browser.conftest import Visit
from tests.conftest import ManualClock
from tests.support.dashboard.seed import TODAY_NS
from tests.support.dashboard.served import Served, served
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


def choose_failed(page: Page, pages: Served) -> str:
    """Open a range that stands still, and choose failures while the service starts again.

    Return what was shown before.
    """
    page.goto(f"{pages.url}/decisions?window=7d&until={utc_iso(TODAY_NS)}Z")
    totals = page.locator("#decisions-totals")
    expect(totals).to_contain_text("decisions")
    shown = totals.inner_text()
    pages.door.pages = None
    with page.expect_response(
        lambda one: "_dash-update-component" in one.url and one.status == 503
    ):
        page.locator("#decisions-failed").click()
    return shown


def test_page_asks_again_what_a_service_that_starts_put_off(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """The filter stood in the address and on the switch, over figures without it, for good."""
    page = visit.page
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        there = pages.door.pages
        shown = choose_failed(page, pages)
        # A range that stands still is asked by nobody else.
        expect(page.locator("#pulse")).to_contain_text("it is asked again by itself")
        assert page.evaluate("document.documentElement.classList.contains('gone')")
        pages.door.pages = there
        expect(page.locator("#decisions-totals")).not_to_have_text(shown)
        expect(page.locator("#pulse")).to_be_hidden()
        found = page.locator("#decisions-totals").inner_text()
        page.reload()
        expect(page.locator("#decisions-totals")).to_have_text(found)


def test_page_that_gives_up_says_so_and_tries_again_when_told_to(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """What is shown belongs to what was chosen before, which nobody could see."""
    page = visit.page
    page.clock.install()
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        there = pages.door.pages
        shown = choose_failed(page, pages)
        page.clock.fast_forward(150_000)
        pulse = page.locator("#pulse")
        expect(pulse).to_contain_text("what is shown may be of another choice")
        expect(page.locator("#decisions-totals")).to_have_text(shown)
        pages.door.pages = there
        pulse.get_by_role("button", name="Try again").click()
        expect(page.locator("#decisions-totals")).not_to_have_text(shown)
        expect(page.locator("#decisions-failed")).to_be_checked()
        expect(pulse).to_be_hidden()
