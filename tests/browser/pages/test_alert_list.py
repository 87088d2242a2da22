"""The list of alerts takes the room that its rows need, and no more than the window has."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import expect

from alerts.people.notes import ACK, Notes
from alerts.state.acts import Act
from alerts.state.sqlite import Update
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from tests.browser.conftest import NARROW, WIDE, Visit, runs_over
from tests.conftest import ManualClock
from tests.support.alerts.builders import EPISODE, event, firing_state
from tests.support.dashboard.seed import TODAY_NS, Seed
from tests.support.dashboard.served import served

pytestmark = [pytest.mark.browser, pytest.mark.integration]

ALERTS = 30
WHOLE: Final = """() => {
  const view = document.querySelector("#alerts-list .ag-body-viewport").getBoundingClientRect();
  return [...document.querySelectorAll("#alerts-list .ag-center-cols-container .ag-row")]
    .filter(row => row.getBoundingClientRect().bottom <= Math.min(view.bottom, innerHeight) + 1)
    .length;
}"""
HEIGHT: Final = "() => document.querySelector('#alerts-list').clientHeight"


def test_list_grows_with_its_alerts_to_most_of_the_window(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """Of thirty alerts three were seen at once, and one stood in a box for four."""
    page = visit.page
    page.set_viewport_size(WIDE)
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        page.goto(f"{pages.url}/alerts?state=firing")
        expect(page.locator("#alerts-list .ag-row")).to_have_count(1)
        of_one = page.evaluate(HEIGHT)
        seed = Seed(random.Random(0))
        for number in range(ALERTS):
            seed.alert(
                TODAY_NS - 9 * NS_PER_S,
                1,
                "firing",
                episode_id=f"many-{number}",
                region=f"region-{number}",
            )
        seed.insert(own_world.client())
        page.reload()
        expect(page.locator("#alerts-list-note")).to_contain_text(f"{ALERTS + 1} alerts")
        page.wait_for_function(f"({HEIGHT})() > {of_one}")
        of_many, whole = page.evaluate(HEIGHT), page.evaluate(WHOLE)
        over = runs_over(page, "/alerts")
        page.set_viewport_size(NARROW)
        on_a_telephone = page.evaluate(HEIGHT)

    assert of_one < 250
    assert whole >= 6
    assert of_many < WIDE["height"]
    assert on_a_telephone < NARROW["height"]
    assert not over


def test_telephone_shows_state_and_people_beside_the_cause(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """Their columns begin beyond its edge: what fires and who is on it was not to be seen."""
    page = visit.page
    seed = Seed(random.Random(0))
    seed.alert(TODAY_NS - 9 * NS_PER_S, 1, "firing", episode_id=EPISODE)
    seed.insert(own_world.client())
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        pages.state.record([Update(firing_state(), event())])
        Notes(pages.state).add(EPISODE, ACK, Act("anna", TODAY_NS), "mine")
        for path, panel in (("alerts", "#alerts-list"), ("", "#overview-alerts")):
            page.set_viewport_size(NARROW)
            page.goto(f"{pages.url}/{path}")
            row = page.locator(f"{panel} .ag-row").filter(has=page.locator(f"a[href*='{EPISODE}']"))
            said = row.locator("[col-id=what] .note")
            expect(said).to_have_text(re.compile(r"^firing page anna · "), use_inner_text=True)
            over = runs_over(page, f"/{path}")
            page.set_viewport_size(WIDE)
            expect(said).to_have_text(re.compile(r"^page checkout-burn"), use_inner_text=True)
            assert not over
