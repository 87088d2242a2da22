"""Which decisions of eu-west between 10:00 and 10:05 were slow in the store, and their cost?"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from dashboard.units import utc_clock, utc_iso
from tests.browser.conftest import Visit
from tests.conftest import ManualClock
from tests.support.dashboard.seed import TODAY_NS, fail
from tests.support.dashboard.served import served

pytestmark = [pytest.mark.browser, pytest.mark.integration]


def test_question_of_an_incident_takes_three_clicks(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """It took SQL: the list had the newest 200, and no dollars."""
    page, clicks = visit.page, 0
    begin, end = (utc_clock(TODAY_NS - seconds * NS_PER_S) for seconds in (300, 0))
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        page.goto(f"{pages.url}/decisions")
        totals, grid = page.locator("#decisions-totals"), page.locator("#decisions-list")
        expect(totals).to_contain_text("15 decisions")
        page.locator("#decisions-range").fill(f"{begin}..{end}")
        page.locator("#decisions-range").press("Enter")
        page.wait_for_url(re.compile("until="))
        for target in (
            page.locator("#decisions-region"),
            page.get_by_role("option", name="eu-west"),
            page.locator("#decisions-segment").get_by_text("store"),
        ):
            target.click()
            clicks += 1
        expect(totals).to_contain_text("5 decisions")
        assert clicks == 3
        page.wait_for_url(re.compile(r"region=eu-west&segment=store&late=1"))
        expect(page.locator("#decisions-late")).to_be_checked()
        expect(grid.locator(".ag-row").first).to_contain_text("ms · decision")
        expect(grid.locator(".interval-at").first).to_be_attached()

        page.locator("#decisions-sort").click()
        page.get_by_role("option", name="Slowest").click()
        expect(page.locator("#decisions-note")).to_contain_text("slowest first")
        expect(grid.locator(".ag-row").first).to_contain_text("d-14")
        with page.expect_download() as waiting:
            page.get_by_role("link", name="CSV").click()
        rows = Path(waiting.value.path()).read_text().splitlines()
        assert [row.split(",")[0] for row in rows[1:]] == ["d-14", "d-13", "d-12", "d-11", "d-10"]
        page.reload()
        expect(totals).to_contain_text("5 decisions")
        page.go_back()
        expect(page.locator("#decisions-sort")).to_have_value("Newest")
        fail(own_world, "d-11")
        page.locator("#decisions-failed").click()
        page.wait_for_url(re.compile(r"failed=1"))
        expect(totals).to_contain_text("1 decision")
        page.go_back()
        expect(totals).to_contain_text("5 decisions")
        grid.locator("a.decision-link").first.click()
        page.wait_for_url(re.compile(r"/decision\?id=d-"))
    assert [error for error in visit.console_errors if "status of 404" not in error] == []


def test_what_was_chosen_goes_with_the_reader_through_a_decision_and_an_alert(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """The menu of their pages led to the newest 15 minutes of everything, without a word."""
    page, until = visit.page, f"{utc_iso(TODAY_NS)}Z"
    chosen = {"window": ["1h"], "until": [until], "region": ["eu-west"], "tz": ["UTC"]}
    lists = (("decision", "a.decision-link", "id"), ("", "a.alert-link", None))
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        for path, row, of in lists:
            page.goto(f"{pages.url}/{path}?window=1h&until={until}&region=eu-west")
            page.locator(row).first.click()
            expect(page.locator("#decision-title, #alert-title")).to_be_focused()
            assert parse_qs(urlsplit(page.url).query).items() >= chosen.items()
            page.get_by_role("link", name="Explore").click()
            expect(page.locator("#explore-title")).to_be_focused()
            assert parse_qs(urlsplit(page.url).query) == chosen
            page.go_back()
            expect(page.locator("#decision-title, #alert-title")).to_be_focused()
            # An id alone, as messages and reports have it, is the same page.
            query = parse_qs(urlsplit(page.url).query)
            page.goto(page.url.partition("?")[0] + (f"?{of}={query[of][0]}" if of else ""))
            expect(page.locator("#decision-title, #alert-title")).to_contain_text(
                re.compile("ms|slower")
            )


def test_address_that_says_no_order_is_told_so(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """A default in its place would be another list than the one that was sent."""
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        visit.page.goto(f"{pages.url}/decisions?sort=price")
        expect(visit.page.locator("#decisions-state")).to_contain_text("'price' is not an order")
        visit.page.goto(f"{pages.url}/decisions?sort=latency")
        expect(visit.page.locator("#decisions-note")).to_contain_text("slowest first")
        expect(visit.page.locator("#decisions-sort")).to_have_value("Slowest")


def test_switches_of_an_address_are_on_or_off_as_it_says(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """`late=0` switched it on."""
    totals, late = visit.page.locator("#decisions-totals"), visit.page.locator("#decisions-late")
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        for value, decisions in (("0", 15), ("false", 15), ("true", 5)):
            visit.page.goto(f"{pages.url}/decisions?late={value}")
            expect(totals).to_contain_text(f"{decisions} decisions")
            expect(late).to_be_checked(checked=value == "true")


def test_menu_marks_the_list_that_a_decision_is_of(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """On the page of a decision, and of an alert, no entry was marked."""
    page = visit.page
    marked = page.locator(".mantine-NavLink-root[data-active=true]")
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        for path, title in (
            ("/", "Overview"),
            ("/decision?id=d-10", "Decisions"),
            ("/alerts/none", "Alerts"),
            ("/decision", "Decisions"),
        ):
            page.goto(pages.url + path)
            expect(marked).to_have_text([title])
