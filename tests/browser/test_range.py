"""From a range that somebody typed to the next page and back."""

from __future__ import annotations

import random
import re
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.sync_api import expect

from collector.core.times import NS_PER_S, iso_ns
from collector.store.connect import Connections
from collector.store.cursors import ATTRIBUTION_CURSOR, write_cursor
from dashboard.units import Zone, utc_iso
from tests.browser.conftest import Visit
from tests.conftest import ManualClock
from tests.support.dashboard.seed import TODAY_NS, Seed, rollup_minutes
from tests.support.dashboard.served import served
from tests.support.service import RunningService

pytestmark = [pytest.mark.browser, pytest.mark.integration]

# Clicks the fullest cell, of one column where it is given, -1 is the last, as plotly tells of a
# click; returns how many decisions are in it.
CLICK = """column => {
  const plot = document.querySelector("#overview-heatmap .js-plotly-plot");
  const trace = plot.data[0];
  const wanted = column === null ? null : (column + trace.x.length) % trace.x.length;
  let best = {n: 0};
  trace.text.forEach((row, y) => row.forEach((text, x) => {
    const n = Number(text.replace(",", "")) || 0;
    if (n > best.n && (wanted === null || x === wanted)) {
      best = {n, x: trace.x[x], y: trace.y[y], text};
    }
  }));
  window.dash_clientside.set_props("overview-heatmap", {clickData: {points: [best]}});
  return best.n;
}"""


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


def test_a_typed_range_begins_at_its_first_page(tmp_path: Path, visit: Visit) -> None:
    """On page 2 it left out what is slower or newer than the page before, without a word."""
    with RunningService(tmp_path) as service:
        page = visit.page
        page.goto(
            f"{service.url}/decisions?window=8s&sort=slowest&after=latency~desc~47800000~1~d-1"
        )
        expect(page.locator("#decisions-first")).to_have_attribute("href", re.compile("sort=slow"))
        page.locator("#decisions-range").fill("2026-11-26 10:00..10:05")
        page.locator("#decisions-range").press("Enter")
        page.wait_for_url(re.compile(r"window=5m&until=2026-11-26T10%3A05.*sort=slowest&tz=UTC$"))
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


def test_times_are_by_the_clock_of_the_reader(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """An incident is spoken of by the clock on the wall; what is kept and sent stays UTC."""
    page, tokyo = visit.page, Zone("Asia/Tokyo")
    page.context.new_cdp_session(page).send(
        "Emulation.setTimezoneOverride", {"timezoneId": tokyo.name}
    )
    write_cursor(own_world.client(), ATTRIBUTION_CURSOR, TODAY_NS)
    begin, end = (tokyo.clock(TODAY_NS - seconds * NS_PER_S) for seconds in (300, 0))
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        page.goto(pages.url)
        shown = page.locator("#overview-asof")
        expect(shown).to_contain_text(f"as of {Zone().at(TODAY_NS)}")
        page.locator(".calendar").click()
        page.get_by_text("Tokyo", exact=True).click()
        page.wait_for_url(re.compile(r"tz=Asia%2FTokyo"))
        expect(shown).to_contain_text(f"as of {tokyo.at(TODAY_NS)}")
        expect(page.locator("#overview-alerts")).to_contain_text("Since (Tokyo)")
        page.locator("#overview-alerts a.alert-link").first.click()
        page.wait_for_url(re.compile(r"/alerts/episode-1\?tz="))
        expect(page.locator("#alert-state")).to_contain_text(f" {tokyo.mark(TODAY_NS)}")

        page.get_by_role("link", name="Decisions").click()
        grid = page.locator("#decisions-list")
        expect(grid).to_contain_text("Time (Tokyo)")
        page.locator("#decisions-range").fill(f"{begin}..{end}")
        page.locator("#decisions-range").press("Enter")
        page.wait_for_url(re.compile(quote(Zone().clock(TODAY_NS))))
        expect(page.locator("#decisions-asof")).to_contain_text(f"{begin} to {end} JST")

        # Of a range that stands still the address names the clock, of a reader in UTC too.
        page.goto(f"{pages.url}/alerts?until={utc_iso(TODAY_NS)}Z&tz=UTC")
        expect(page.locator("#alerts-asof")).to_contain_text("UTC")
        page.get_by_role("link", name="Decisions").click()
        page.wait_for_url(re.compile(r"/decisions\?.*tz=UTC"))
        page.locator("#decisions-range").fill("2026-11-26 10:00..10:05")
        page.locator("#decisions-range").press("Enter")
        page.wait_for_url(re.compile(r"until=2026-11-26T10%3A05.*tz=UTC"))
        expect(page.locator("#decisions-asof")).to_contain_text("10:00:00 to 10:05:00 UTC")
        page.goto(f"{pages.url}/alerts?until={utc_iso(TODAY_NS)}Z")
        expect(page.locator("#alerts-asof")).to_contain_text("JST")

        # Whoever comes back another day finds the clock that was chosen.
        page.goto(pages.url)
        expect(shown).to_contain_text(tokyo.at(TODAY_NS))
        page.locator(".calendar").click()
        page.get_by_text("UTC", exact=True).click()
        page.wait_for_url(pages.url + "/")
        expect(shown).to_contain_text(Zone().at(TODAY_NS))
        expect(page.locator("#overview-alerts")).to_contain_text("Since (UTC)")
    assert [error for error in visit.console_errors if "status of 404" not in error] == []


def test_cell_of_a_heatmap_by_another_clock_leads_to_its_decisions(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """The axis is by the clock on the wall; the address that a click leads to is not."""
    page = visit.page
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        page.goto(f"{pages.url}/?tz=America/St_Johns&window=5m")
        expect(page.locator("#overview-heatmap .hm").first).to_be_visible()
        found = page.evaluate(CLICK)
        page.wait_for_url(re.compile(r"/decisions\?.*low_ms="))
        asked = parse_qs(urlsplit(page.url).query)
        until_ns = iso_ns(asked["until"][0])
        assert until_ns is not None
        assert 0 <= TODAY_NS - until_ns < 300 * NS_PER_S
        decisions = re.compile(f"^{found} decision")
        expect(page.locator("#decisions-totals")).to_have_text(decisions)
    assert [error for error in visit.console_errors if "status of 404" not in error] == []


@pytest.mark.parametrize(
    ("query", "cells"),
    [
        pytest.param("window=5m&until={}", {0: 1, -1: 4, 1: 5}, id="frozen"),
        pytest.param("window=5m", {0: 1, -1: 4, 1: 5}, id="live"),
        pytest.param("window=2h&until={}", {-1: None}, id="of whole minutes"),
    ],
)
def test_cell_at_an_edge_of_a_heatmap_has_what_its_list_has(
    store: Connections,
    visit: Visit,
    tmp_path: Path,
    query: str,
    cells: dict[int, int | None],
) -> None:
    """A column begins before the range or ends behind it: neither is in the cell or in the list."""
    seed, page = Seed(random.Random(1)), visit.page
    even_ns = TODAY_NS - TODAY_NS % (5 * NS_PER_S)
    for number in range(400):
        seed.decision(even_ns - (390 - number) * NS_PER_S, number, jitter=0)
    seed.insert(store.client())
    rollup_minutes(store.client())
    end_ns = even_ns + 3 * NS_PER_S + 123_456_789
    with served(store, tmp_path, clock=ManualClock(end_ns)) as pages:
        for column, wanted in cells.items():
            page.goto(f"{pages.url}/?" + query.format(f"{utc_iso(end_ns)}Z"))
            expect(page.locator("#overview-heatmap .hm").first).to_be_visible()
            decisions = page.evaluate(CLICK, column)
            assert decisions == wanted or (wanted is None and decisions > 0)
            page.wait_for_url(re.compile(r"/decisions\?.*low_ms="))
            said = re.compile(f"^{decisions} decision")
            expect(page.locator("#decisions-totals")).to_have_text(said)
