"""A panel that cannot be read says so in its place: nothing goes on loading, nothing is lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from collector.core.times import NS_PER_MINUTE
from collector.store.connect import Connections
from collector.store.cursors import ATTRIBUTION_CURSOR, write_cursor
from dashboard.units import utc_iso
from tests.browser.conftest import Visit, runs_over
from tests.conftest import ManualClock
from tests.support.dashboard.seed import TODAY_NS
from tests.support.dashboard.served import served

pytestmark = [pytest.mark.browser, pytest.mark.integration]

# By address: where its readings say how they are, and what is there once they are whole.
PAGES = {
    "/": {
        "overview-alerts": "#overview-alerts .ag-row",
        "overview-path": "#overview-path-said:has-text('decisions')",
        "overview-heatmap": "#overview-latency-value:has-text('ms')",
    },
    "/explore": {"explore-heat": "#explore-heat-note:has-text('decisions')"},
    "/decisions": {"decisions": "#decisions-totals:has-text('decisions')"},
    "/decision?id=d-12": {"decision": "#decision-title:has-text('ms')"},
    "/budgets": {"budgets-list": "#budgets-list .ag-row"},
    "/velocity": {"velocity-groups": "#velocity-said:has-text('unknown')"},
    "/network": {"network": "#network-pairs .ag-row"},
    "/trust": {"trust": "#trust-said:has-text('proven')"},
}
# What is looked at in every state, beside these.
OTHERS = ("/alerts", "/alerts/episode-1", "/health")
# ... and says of when it is.
TIMED = ("/", "/explore", "/decisions", "/budgets", "/velocity", "/network", "/trust", "/alerts")
# A table that says that it is empty; two are read by readings of their own, which succeed.
UNREAD_ROWS = "#page .no-rows:visible:not(#trust-acts *, #velocity-experiments *)"
CALLBACKS = "**/_dash-update-component*"
AWAY = ("attributions", "decisions", "alert_events", "revenue_cells", "provenance_events")


@contextmanager
def away(store: Connections) -> Iterator[None]:
    """Take away what every page reads, as a migration that failed half way would."""
    for table in AWAY:
        store.client().command(f"RENAME TABLE {table} TO away_{table}")
    try:
        yield
    finally:
        for table in AWAY:
            store.client().command(f"RENAME TABLE away_{table} TO {table}")


def is_frozen(address: str) -> str:
    """Return the address of a time that stands still: what failed is not asked again by itself."""
    return f"{address}{'&' if '?' in address else '?'}until={utc_iso(TODAY_NS)}Z"


def expect_failed(page: Page, key: str, said: str) -> None:
    """Hold that a reading says that it failed, what is shown, and where the log has it."""
    state = page.locator(f"#{key}-state")
    expect(state).to_contain_text(re.compile("Could not be read: .+"))
    expect(state).to_contain_text(said)
    expect(state).to_contain_text(re.compile(r"question [0-9a-f]{8} in the log"))
    expect(state).not_to_contain_text("SELECT")
    expect(page.locator(f"#{key}-retry")).to_be_visible()


def test_first_load_that_fails_says_so_on_every_page_and_is_tried_again(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """`Loading...` stood in tables for ever, and `…` on cards, while the store was away."""
    page, found = visit.page, list[str]()
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        for address, readings in PAGES.items():
            with away(own_world):
                page.goto(pages.url + is_frozen(address))
                for key in readings:
                    expect_failed(page, key, "Nothing is shown yet.")
                expect(page.locator("#page .ag-overlay-loading-center")).to_have_count(0)
                # Nobody knows that a table is empty.
                expect(page.locator(UNREAD_ROWS)).to_have_text([])
                expect(page.locator("#page")).not_to_contain_text("…", use_inner_text=True)
                expect(page.locator("#page")).not_to_contain_text("$0.00")
                found += runs_over(page, f"{address}, failed,")
            # What follows from the first reading comes with it. A decision is asked for again by
            # itself while it is young, and the button may be gone before a pointer is on it.
            page.locator(f"#{next(iter(readings))}-retry").dispatch_event("click")
            for key, ready in readings.items():
                expect(page.locator(ready).first).to_be_visible()
                expect(page.locator(f"#{key}-state")).not_to_contain_text("Could not be read")
        with away(own_world):
            # What fires is in the alert state, which no store takes away.
            page.goto(pages.url + is_frozen("/alerts"))
            expect(page.locator("#alerts-list-state")).to_contain_text("Partial: the store is away")
            found += runs_over(page, "/alerts, partial,")
            page.goto(f"{pages.url}/alerts/episode-1")
            expect_failed(page, "alert-page", "Nothing is shown yet.")
            expect(page.locator("#alert-risk-value")).to_have_text("unknown")
            found += runs_over(page, "/alerts/episode-1, failed,")
        expect(page.locator("#alert-facts")).to_contain_text("Rule")
    assert not found, "\n".join(found)
    # The waterfall, which says so itself, and `/pulse`, which is of the whole service.
    known = re.compile("status of (404|503)")
    assert [error for error in visit.console_errors if not known.search(error)] == []


def test_page_that_loads_or_is_old_fits_and_says_so(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """Before its first answer nothing is said that could be false; old figures are grey."""
    page, found = visit.page, list[str]()
    # Attribution has not come to what is stored since.
    write_cursor(own_world.client(), ATTRIBUTION_CURSOR, TODAY_NS - 10 * NS_PER_MINUTE)

    def hold(route: Route) -> None:
        """Let the layout of a page through, and nothing that it shows."""
        if '"output":"page.children"' in (route.request.post_data or ""):
            route.continue_()

    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        for address in (*PAGES, *OTHERS):
            page.route(CALLBACKS, hold)
            page.goto(pages.url + address)
            expect(page.locator("#page h1")).to_be_visible()
            expect(page.locator("#page")).not_to_contain_text(re.compile(r"\$\d"))
            found += runs_over(page, f"{address}, loading,")
            page.unroute(CALLBACKS)  # which lets through what was held
            if address in TIMED:
                expect(page.locator(".asof.old")).to_contain_text("min ago")
                value = page.locator("#page .kpi-value, #page .answer-said").first
                if value.count():
                    assert float(value.evaluate("e => getComputedStyle(e).opacity")) < 1
            found += runs_over(page, f"{address}, old,")
    assert not found, "\n".join(found)


def test_reading_that_fails_keeps_what_is_shown_with_its_age(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """Grey, with the time that it is of; it comes back by itself where the page is live."""
    page = visit.page
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        page.goto(pages.url)
        now = page.locator("#overview-now-value")
        expect(now).to_contain_text("/ h")
        expect(page.locator("#overview-path-said")).to_contain_text("decisions")
        shown = now.inner_text()
        with away(own_world):
            expect_failed(page, "overview-alerts", "What is shown is of ")
            assert now.inner_text() == shown
            expect(page.locator("#overview-alerts .ag-row")).to_have_count(1)
            assert float(now.evaluate("e => getComputedStyle(e).opacity")) < 1
        expect(page.locator("#overview-alerts-state")).to_have_text("")
        expect(page.locator("#overview-alerts-retry")).to_be_hidden()


def test_reading_over_its_time_says_that_it_took_too_long(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """`store.query_seconds_max` ends it in the engine; the other panels are whole."""
    client = own_world.client()
    client.command("RENAME TABLE attributions TO slow")
    client.command("CREATE VIEW attributions AS SELECT * FROM slow WHERE sleepEachRow(0.15) = 0")
    hasty = Connections(own_world.config.model_copy(update={"query_seconds_max": 1.0}))
    with served(hasty, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        visit.page.goto(pages.url + is_frozen("/"))
        state = visit.page.locator("#overview-path-state")
        expect(state).to_contain_text(re.compile("Could not be read: Timeout exceeded"))
    hasty.close()
