"""The pages that answer one question: the sentence, its figures, an empty store, a telephone."""

from __future__ import annotations

import json
import re
import urllib.request
from collections import Counter
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from playwright.sync_api import Page, expect

from collector.store.connect import Connections
from dashboard.read.workers import SharedReads
from dashboard.units import usd, utc_iso
from tests.browser.conftest import Visit, runs_over
from tests.conftest import ManualClock
from tests.support.dashboard.seed import TODAY_NS
from tests.support.dashboard.served import served
from tests.support.dashboard.traded import HOUR, trade

pytestmark = [pytest.mark.browser, pytest.mark.integration]

T = TypeVar("T")

# By page what its answer says over the small world, and over a store without a row.
ANSWERS = {
    "budgets": ("1 cannot be told from chance yet", "Nothing can be judged"),
    "velocity": (
        "What a millisecond is worth is unknown",
        "What a millisecond is worth is unknown",
    ),
    "network": ("Nobody can say", "Nobody can say"),
    "trust": ("Nothing is lost, but nothing is proven", "Nothing is lost, but nothing is proven"),
    "health": ("Nothing was received since", "Nothing was received since"),
}
# ... and of the other pages what says what to do.
EMPTY = {
    "": ("overview-start-said", "No decision is stored yet"),
    "alerts": ("alerts-list", "No alert is open, and none changed in this time"),
    "explore": ("explore-chips", "No decision is here yet. See how to send the first one"),
    "decision": ("decisions-list", "No decision matches. Widen the window"),
}
SIZES = """() => [...document.querySelectorAll('#page *')]
    .filter((each) => [...each.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
    .filter((each) => each.checkVisibility())
    .map((each) => [parseFloat(getComputedStyle(each).fontSize), each.id])"""


def answered(url: str) -> Any:  # noqa: ANN401  any JSON
    """Return what `/api/v1` answers."""
    with urllib.request.urlopen(url) as answer:
        return json.load(answer)


def open_page(page: Page, url: str, address: str, begins: str) -> None:
    """Open a page and wait for its answer."""
    page.goto(f"{url}/{address}")
    expect(page.locator(f"#{address.partition('?')[0]}-said")).to_contain_text(begins)


def check(page: Page, name: str) -> None:
    """Hold that the answer is the largest text, and that nothing runs over at any width."""
    sizes: list[tuple[float, str]] = page.evaluate(SIZES)
    most = max(size for size, _ in sizes)
    assert {of for size, of in sizes if size == most} == {f"{name}-said"}, name
    assert runs_over(page, name) == []


def test_sentence_is_the_largest_thing_on_every_page_and_nothing_runs_over(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """In both themes, on a screen and on a telephone, which scrolls down and never sideways."""
    page = visit.page
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        for name, (begins, _) in ANSWERS.items():
            open_page(page, pages.url, name, begins)
            check(page, name)
    assert visit.foreign_requests == []
    # `/pulse` is answered by the whole service alone.
    assert [error for error in visit.console_errors if "status of 404" not in error] == []


def test_figures_are_those_that_the_api_answers(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """A colleague with the command and one with the page must not differ."""
    page, until = visit.page, f"{utc_iso(TODAY_NS)}Z"
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        told = answered(f"{pages.url}/api/v1/budgets")["budgets"][0]
        open_page(page, pages.url, "budgets", "1 cannot be told from chance yet")
        row = page.locator("#budgets-list .ag-row").first
        worst = max(told["promises"], key=lambda each: each["measured_ms"] / each["target_ms"])
        expect(row).to_contain_text(f"{worst['measured_ms']:,.1f} of {worst['target_ms']:g} ms")
        expect(row).to_contain_text(f"{worst['over_ratio_low'] * 100:.1f} to ")
        row.get_by_role("link").click()
        page.wait_for_url("**/decisions?**")
        expect(page.locator("#decisions-totals")).to_contain_text("decision")

        told = answered(f"{pages.url}/api/v1/network?until={until}")
        page.goto(f"{pages.url}/network?until={until}")
        expect(page.locator("#network-pairs .ag-row")).to_have_count(len(told["pairs"]))
        page.locator("#network-pairs").get_by_role("link").first.click()
        page.wait_for_url("**/decision?id=d-12&until=**&tz=UTC")


def test_velocity_ranks_what_was_earned_with_its_interval(
    store: Connections, visit: Visit, tmp_path: Path
) -> None:
    """The dearest first, as `/api/v1` says; another grouping is a click and stands in the URL."""
    page = visit.page
    trade(store)
    with served(store, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        url = f"{pages.url}/api/v1/vram/worth?{HOUR}&dimension=offer_type"
        groups = answered(url)["groups"]
        page.goto(f"{pages.url}/velocity?{HOUR}")
        said = page.locator("#velocity-said")
        expect(said).to_contain_text("The next millisecond faster is worth $")
        page.get_by_text("offer type", exact=True).click()
        page.wait_for_url("**by=offer_type**")
        expect(said).to_contain_text(f"No offer type stands out: which of the {len(groups)} comes")
        per_ms = groups[0]["marginal_usd_per_ms_hour"]
        first = page.locator("#velocity-groups .ag-row").first
        expect(first).to_contain_text(f"{usd(per_ms['low'])} to {usd(per_ms['high'])}")
        expect(first).to_contain_text("assumed rate")
        expect(page.locator("#velocity-curve .js-plotly-plot")).to_be_visible()
        changes = {each["shift_ms"]: each["change_usd_per_hour"] for each in groups[0]["curve"]}
        less = page.locator("#velocity-less-said")
        expect(less).to_contain_text(f"10 ms less of {groups[0]['name']}: ")
        page.get_by_role("slider", name="Milliseconds less").focus()
        page.keyboard.press("ArrowRight")
        expect(less).to_contain_text(f"20 ms less of {groups[0]['name']}: ")
        ends = [usd(changes[-20][end]) for end in ("low", "high")]
        expect(less).to_contain_text(f"90 %: {ends[0]} to {ends[1]}, by an assumed rate")
        page.wait_for_url("**less=20**")
        page.reload()
        expect(less).to_contain_text(f"20 ms less of {groups[0]['name']}: ")
        expect(page.locator("#velocity-gate")).to_contain_text("millworth vram gate FILE")
        check(page, "velocity")


def test_empty_store_has_a_next_step_on_every_page(
    store: Connections, visit: Visit, tmp_path: Path
) -> None:
    """Nobody who starts it first should read `$0.00` or an empty table without a word."""
    page, found = visit.page, list[str]()
    answers = {name: (f"{name}-said", begins) for name, (_, begins) in ANSWERS.items()}
    with served(store, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        for address, (place, begins) in (EMPTY | answers).items():
            page.goto(f"{pages.url}/{address}")
            expect(page.locator(f"#{place}")).to_contain_text(begins)
            expect(page.locator("#page")).not_to_contain_text("$0.00")
            found += runs_over(page, f"/{address}")
        assert not found, "\n".join(found)
        expect(page.locator("#health-start-code")).to_contain_text("OTEL_EXPORTER_OTLP_ENDPOINT")
        page.goto(f"{pages.url}/trust")
        expect(page.locator("#trust-seals")).to_contain_text("provenance.keys_path")


def test_question_that_cannot_be_asked_says_so_where_the_answer_would_stand(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """And the other panels of the page answer."""
    page = visit.page
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        page.goto(f"{pages.url}/velocity?by=colour")
        expect(page.locator("#velocity-groups-state")).to_contain_text(
            "'colour' is not a dimension"
        )
        expect(page.locator("#velocity-experiments")).to_contain_text("No delay is or was injected")
        expect(page.locator("#velocity-groups-retry")).to_be_hidden()


def test_panel_that_cannot_be_read_keeps_its_figures_and_is_tried_again(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """With the reason, of when what is shown is, and a mark that stands in the log too."""
    page, client = visit.page, own_world.client()
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        # A range that stands still is read when somebody asks.
        open_page(
            page,
            f"{pages.url}",
            f"budgets?until={utc_iso(TODAY_NS)}Z",
            "1 cannot be told from chance yet",
        )
        state = page.locator("#budgets-list-state")
        expect(state).to_have_text("")
        client.command("RENAME TABLE attributions TO away")
        page.get_by_role("textbox", name="All regions").click()
        page.get_by_role("option", name="us-east").click()
        expect(state).to_contain_text("Could not be read: ")
        expect(state).to_contain_text(re.compile(r"shown is of \d\d:\d\d:\d\d UTC"))
        expect(state).to_contain_text(re.compile(r"question [0-9a-f]{8} in the log"))
        expect(page.locator("#budgets-list .ag-row")).to_have_count(2)
        client.command("RENAME TABLE away TO attributions")
        page.locator("#budgets-list-retry").click()
        expect(state).to_have_text("")
        expect(page.locator("#budgets-list-retry")).to_be_hidden()


class CountedReads(SharedReads):
    """Keeps everything, and counts what was read by its first output."""

    def __init__(self) -> None:
        super().__init__(ManualClock(0))
        self.made: Counter[str] = Counter()

    def read(
        self, key: Hashable, keep_s: float, make: Callable[[], T], *, lasting_s: float = 0.0
    ) -> T:
        """Read, and count."""

        def counted() -> T:
            if isinstance(key, tuple) and "." in str(key[0]):
                self.made[str(key[0])] += 1
            return make()

        return super().read(key, keep_s, counted, lasting_s=lasting_s)


def test_what_a_page_shows_is_read_once_when_it_is_opened(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """A reading that was begun ahead of the browser and is not what it asks for is made twice."""
    page, shared = visit.page, CountedReads()
    drawn = {
        "?window=7d": "#overview-path-said:not(:empty)",
        "decision?window=7d": "#decisions-totals:not(:empty)",
        "explore?window=7d": "#explore-heatmap .main-svg",
        "budgets?window=7d": "#budgets-cost:has(*)",
        "velocity?window=7d": "#velocity-said:not(:empty)",
        "network?window=7d": "#network-said:not(:empty)",
        "trust?window=7d": "#trust-said:not(:empty)",
    }
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS), shared=shared) as pages:
        for address, place in drawn.items():
            page.goto(f"{pages.url}/{address}")
            page.wait_for_selector(place)
    assert len(shared.made) >= len(drawn)
    assert {name for name, times in shared.made.items() if times > 1} == set()
