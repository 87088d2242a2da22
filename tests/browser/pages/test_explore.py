"""From a box over the heatmap to the decisions behind it, by mouse and by keyboard alone."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from tests.browser.conftest import Visit
from tests.conftest import ManualClock
from tests.support.dashboard.seed import REGIONS, TODAY_NS, Seed
from tests.support.dashboard.served import served

pytestmark = [pytest.mark.browser, pytest.mark.integration]

SLOW = 40


@pytest.fixture
def busy(store: Connections) -> Connections:
    """Return a store in which the first forty decisions, of one region, waited for their store."""
    seed = Seed(random.Random(7))
    for number in range(160):
        slow = number < SLOW
        region = REGIONS[0] if slow or number % 4 == 0 else REGIONS[1]
        at_ns = TODAY_NS - (170 - number) * NS_PER_S
        seed.decision(at_ns, number, region=region, store_ms=90.0 if slow else 0.0, jitter=0.1)
        seed.cell(at_ns, region=region, decisions=1, late=int(slow), loss="0.02" if slow else "0")
    seed.insert(store.client())
    return store


def test_a_box_is_dragged_and_back_undoes_it(
    busy: Connections, visit: Visit, tmp_path: Path
) -> None:
    """The address holds the box; a ranked value is a click from a filter."""
    page = visit.page
    with served(busy, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        page.goto(f"{pages.url}/explore?window=5m")
        said = page.locator("#explore-said")
        expect(said).to_contain_text("Drag a box")
        expect(page.locator("#explore-heat-note")).to_contain_text("160 decisions")
        area = page.locator("#explore-heatmap .nsewdrag").first
        expect(area).to_be_visible()
        box = area.bounding_box()
        assert box is not None
        # The slow ones are in the upper half.
        page.mouse.move(box["x"] + 4, box["y"] + 4)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] - 4, box["y"] + box["height"] * 0.52, steps=6)
        page.mouse.up()
        page.wait_for_url(re.compile(r"brush=.*brush_ms=.*until="))
        expect(said).to_contain_text("region eu-west, all of the box, in decision/store")
        values = page.locator("#explore-values")
        expect(values.locator("li").first).to_contain_text("region eu-west")
        expect(values.locator("li").first).to_contain_text("q < 0.001")
        page.locator("#explore-mode").get_by_text("Late").click()
        page.wait_for_url(re.compile("mode=late"))
        values.get_by_role("link", name="Only these").first.click()
        page.wait_for_url(re.compile("region=eu-west"))
        expect(page.locator("#explore-heat-note")).to_contain_text("70 decisions")
        page.go_back()
        expect(page.locator("#explore-heat-note")).to_contain_text("160 decisions")
        page.go_back()
        page.go_back()
        expect(said).to_contain_text("Drag a box")
    assert [error for error in visit.console_errors if "status of 404" not in error] == []
    assert visit.foreign_requests == []


def test_a_box_is_typed_by_keyboard_and_leads_to_its_decisions(
    busy: Connections, visit: Visit, tmp_path: Path
) -> None:
    """Without a mouse; what is mistyped is told beside its field."""
    page = visit.page
    with served(busy, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        page.goto(f"{pages.url}/explore?window=5m")
        expect(page.locator("#explore-said")).to_contain_text("Drag a box")
        field = page.locator("#explore-ms")
        field.focus()
        page.keyboard.type("fast")
        page.keyboard.press("Enter")
        expect(page.get_by_text("is not a range of milliseconds")).to_be_visible()
        field.focus()
        page.keyboard.press("Control+a")
        page.keyboard.type(">120")
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile("brush_ms=120"))
        expect(page.locator("#explore-said")).to_contain_text("region eu-west")
        link = page.locator("#explore-values").get_by_role("link", name="Decisions").first
        for _ in range(40):
            page.keyboard.press("Tab")
            if link.evaluate("link => link === document.activeElement"):
                break
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(r"/decisions\?.*low_ms=120"))
        expect(page.locator("#decisions-totals")).to_contain_text("40 decisions")
        page.go_back()
        expect(page.locator("#explore-ms")).to_have_value("120..")
        page.goto(f"{pages.url}/explore?brush=ten..eleven")
        expect(page.locator("#explore-said")).to_contain_text("is not FROM..TO")
    assert [error for error in visit.console_errors if "status of 404" not in error] == []
