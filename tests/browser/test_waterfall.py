"""The waterfall of a decision: by keyboard and pointer, in both schemes, wide and narrow."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from tests.browser.conftest import Visit
from tests.conftest import ManualClock
from tests.support.dashboard.seed import TODAY_NS, Seed
from tests.support.dashboard.served import Served, served

pytestmark = [pytest.mark.browser, pytest.mark.integration]

MS = 1_000_000
# What a canvas shows is pixels: how many of them are drawn on.
INK = "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data"
INKED = f"canvas => ({INK})(canvas).filter((value, at) => at % 4 === 3 && value > 0).length"
SHIFTED = """() => new Promise(done => new PerformanceObserver(list =>
    done(list.getEntries().reduce((sum, each) => sum + (each.hadRecentInput ? 0 : each.value), 0))
).observe({type: "layout-shift", buffered: true}) || setTimeout(() => done(0), 500))"""


@pytest.fixture
def pages(own_world: Connections, tmp_path: Path) -> Iterator[Served]:
    """Serve the seeded store."""
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as found:
        yield found


def open_tree(visit: Visit, pages: Served, decision_id: str) -> Locator:
    """Open the page of a decision and return its tree of spans."""
    visit.page.goto(f"{pages.url}/decision?id={decision_id}")
    tree = visit.page.get_by_role("tree")
    expect(tree.get_by_role("treeitem").first).to_be_visible()
    return tree


def faults(visit: Visit) -> list[str]:
    """Return what the console says, without the probe that this server has not."""
    return [error for error in visit.console_errors if "404" not in error]


def test_keyboard_alone_leads_to_the_evidence_of_a_span(visit: Visit, pages: Served) -> None:
    """A responder without a mouse finds packets and attributes, and is back on the row after."""
    page, tree = visit.page, open_tree(visit, pages, "d-12")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    while not tree.evaluate("tree => tree === document.activeElement"):
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    # Rows are told of once a frame.
    expect(tree).to_have_attribute("aria-activedescendant", "decision-waterfall-tree-2")
    active = page.locator("#decision-waterfall-tree-2")
    expect(active).to_contain_text("ZRANGE offers, edge, decision/store, 66.0")
    page.keyboard.press("Enter")
    panel = page.get_by_role("region", name="Chosen span")
    expect(panel.get_by_role("heading", name="ZRANGE offers")).to_be_focused()
    for told in ("db.system.name", "cache.miss", "4 packets, linked by tuple+time", "59.5 %",
                 "Took at least as long as", "no outcome came yet", "No sealed event"):  # fmt: skip
        expect(panel).to_contain_text(told)
    expect(panel.get_by_role("heading", name="ZRANGE offers")).to_be_focused()
    panel.get_by_text("Show the packets").click()
    expect(panel.locator("li").first).to_contain_text("→ 120 B: ACK PSH")
    assert len([url for url in asked if "/api/v1/waterfall/span" in url]) == 1
    page.keyboard.press("Escape")
    expect(tree).to_be_focused()
    expect(panel).to_be_hidden()
    assert faults(visit) == []


def test_rows_are_folded_filtered_and_zoomed(visit: Visit, pages: Served) -> None:
    """What is looked for stays with what it hangs under; a zoom is undone by one key."""
    page, tree = visit.page, open_tree(visit, pages, "d-12")
    rows, window = tree.get_by_role("treeitem"), page.locator("#decision-waterfall .wf-window")

    def width() -> float:
        box = window.bounding_box()
        assert box is not None
        return box["width"]

    expect(rows).to_have_count(5)
    tree.focus()
    page.keyboard.press("ArrowLeft")
    expect(rows).to_have_count(1)
    expect(rows.first).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("ArrowRight")
    expect(rows).to_have_count(5)
    page.keyboard.press("/")
    page.keyboard.type("zrange")
    expect(rows).to_have_count(2)
    expect(page.locator("#decision-waterfall")).to_contain_text("1 of 5 spans")
    page.keyboard.press("Escape")
    expect(rows).to_have_count(5)
    page.get_by_label("Only spans of at least so many milliseconds").fill("12")
    expect(rows).to_have_count(3)
    page.get_by_label("Only spans of at least so many milliseconds").fill("")
    whole = width()
    tree.focus()
    page.keyboard.press("+")
    page.keyboard.press("+")
    page.mouse.move(0, 0)
    expect(rows).to_have_count(5)
    assert tree.evaluate("() => new Promise(done => requestAnimationFrame(() => done(1)))") == 1
    assert width() < whole / 2
    page.keyboard.press("f")
    assert tree.evaluate("() => new Promise(done => requestAnimationFrame(() => done(1)))") == 1
    assert width() == pytest.approx(whole, abs=2)


def test_map_is_dragged_and_the_wheel_zooms(visit: Visit, pages: Served) -> None:
    """The window of time follows the pointer by its middle, and stays inside."""
    page, tree = visit.page, open_tree(visit, pages, "d-12")
    window = page.locator("#decision-waterfall .wf-window")

    def place() -> tuple[float, float, float]:
        tree.evaluate("() => new Promise(done => requestAnimationFrame(() => done(1)))")
        box = window.bounding_box()
        assert box is not None
        return box["x"], box["width"], box["y"] + box["height"] / 2

    whole_x, whole, y = place()
    page.mouse.move(whole_x + whole * 0.3, y)
    for _ in range(4):
        page.mouse.wheel(0, -100)
    expect(window).not_to_have_css("width", f"{whole}px")
    begin, wide, _ = place()
    assert wide < whole
    page.mouse.down()
    page.mouse.move(whole_x + whole * 0.5, y, steps=5)
    page.mouse.up()
    moved, same, _ = place()
    assert moved == pytest.approx(begin + whole * 0.2, abs=3)
    assert same == pytest.approx(wide, abs=2)
    page.mouse.move(moved + same / 2, y)
    page.mouse.down()
    page.mouse.move(5_000, y, steps=5)
    page.mouse.up()
    last, _, _ = place()
    assert last + same == pytest.approx(whole_x + whole, abs=3)


def test_change_of_scheme_is_drawn(visit: Visit, pages: Served) -> None:
    """Names in the ink of the other scheme are not seen."""
    page = visit.page
    open_tree(visit, pages, "d-12")
    rows = page.locator("#decision-waterfall .wf-rows")
    ink = f"canvas => ({INK})(canvas).filter((value, at) => at % 4 === 0 && value > 200).length"
    page.get_by_text("Light", exact=True).click()
    expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "light")
    rows.evaluate("() => new Promise(done => requestAnimationFrame(() => done(1)))")
    light = rows.evaluate(ink)
    page.get_by_text("Dark", exact=True).click()
    expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "dark")
    rows.evaluate("() => new Promise(done => requestAnimationFrame(() => done(1)))")
    assert rows.evaluate(ink) > light + 200


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_drawn_in_both_schemes_wide_and_narrow(
    visit: Visit, pages: Served, scheme: str, width: int
) -> None:
    """Nothing is cut off at the side, and what comes late moves nothing that was there."""
    page = visit.page
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": width, "height": 844 if width < 600 else 1000})
    open_tree(visit, pages, "d-12")
    expect(page.locator("#decision-waterfall .wf-stages")).to_contain_text("52.0 ms over normal")
    expect(page.get_by_role("heading", level=1)).to_contain_text("decision/store took 66.0 ms")
    for canvas in page.locator("#decision-waterfall canvas").all():
        assert canvas.evaluate(INKED) > 500
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.evaluate(SHIFTED) <= 0.05
    page.get_by_role("treeitem", name="GET identity").click()
    expect(page.get_by_role("region", name="Chosen span")).to_contain_text("db.system.name")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert faults(visit) == []


def test_budget_is_a_table(visit: Visit, pages: Served) -> None:
    """It is built in the browser; the largest part is marked, and each says its nanoseconds."""
    open_tree(visit, pages, "d-12")
    budget = visit.page.get_by_role("region", name="Latency budget by stage and class")
    expect(budget.get_by_role("columnheader")).to_have_text(
        ["Stage", "network", "compute", "store", "untraced", "sum"]
    )
    expect(budget.locator("tbody tr")).to_have_count(5)
    expect(budget.locator(".largest")).to_have_text("66.000 ms")
    expect(budget.locator(".largest")).to_have_attribute("title", "66,000,000 ns")


def test_link_leads_to_the_span_that_was_looked_at(visit: Visit, pages: Served) -> None:
    """A colleague saw the whole decision, and not what was meant."""
    tree = open_tree(visit, pages, "d-12")
    tree.get_by_role("treeitem").nth(3).click()
    panel = visit.page.get_by_role("region", name="Chosen span")
    name = panel.get_by_role("heading", level=3).inner_text()
    expect(visit.page).to_have_url(re.compile(r"#span=[0-9a-f]{16}$"))
    other = visit.page.context.new_page()
    other.goto(visit.page.url)
    theirs = other.get_by_role("region", name="Chosen span")
    expect(theirs.get_by_role("heading", level=3)).to_have_text(name)
    expect(other.get_by_role("tree").get_by_role("treeitem", selected=True)).to_have_count(1)
    theirs.get_by_role("button", name="Close").click()
    expect(other).to_have_url(re.compile(r"/decision\?id=d-12[^#]*$"))


def odd_trace(seed: Seed) -> int:
    """Add what real senders send to decision d-99; return how many spans it has."""
    at_ns = TODAY_NS - 20 * NS_PER_S
    seed.decision(at_ns, 99)
    root, trace_id = f"{99:015x}0", f"{99:032x}"
    names = ["<img src=x onerror=\"document.title='broken'\">", "\u202egnol", "n" * 10_000, ""]
    for at in range(40):
        span_id = f"{at:016x}"
        parent = {0: span_id, 1: f"{2:016x}", 2: f"{1:016x}", 3: "f" * 16}.get(at, root)
        seed.add(
            "path_spans", ingress_ns=at_ns, decision_id="d-99", trace_id=trace_id, revision=1,
            span_id=span_id, parent_span_id=parent, service_name="edge", span_name=names[at % 4],
            span_kind="Client", start_ns=at_ns - (5 * MS if at % 5 == 0 else 0),
            duration_ns=0 if at % 3 == 0 else MS, shift_ns=MS if at % 7 == 0 else 0, on_path=0,
            self_ns=0, stage="decision", **{"class": "network"}, sections=[],
        )  # fmt: skip
    seed._trace_row(trace_id, f"{3:016x}", "f" * 16, "", "Client", at_ns, 0, {})
    return 45


def test_whatever_a_sender_sends_is_shown(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """Rings, orphans, no duration, a child before its parent; a name is text and nothing else."""
    seed = Seed(random.Random(4))
    spans = odd_trace(seed)
    seed.insert(own_world.client())
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        tree = open_tree(visit, pages, "d-99")
        page = visit.page
        expect(page.locator("#decision-waterfall")).to_contain_text(f"{spans} spans, 1 missing")
        page.get_by_label("Filter spans by name or service").fill("missing span")
        lost = tree.get_by_role("treeitem", name="missing span, missing: late")
        expect(lost).to_have_attribute("aria-expanded", "true")
        page.get_by_label("Filter spans by name or service").fill("")
        expect(tree.get_by_role("treeitem", name="<img src=x").first).to_be_attached()
        expect(tree.get_by_role("treeitem", name="\ufffdgnol").first).to_be_attached()
        tree.get_by_role("treeitem", name="nnnn").first.click()
        panel = page.get_by_role("region", name="Chosen span")
        expect(panel.get_by_role("heading")).to_contain_text(["n" * 10_000])
        expect(panel).to_contain_text("not stored any more")
        expect(page).to_have_title("Decision - Millworth")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert faults(visit) == []


def test_decision_without_spans_says_so(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """Just after it ends its spans are not assembled yet; they appear by themselves."""
    seed = Seed(random.Random(4))
    seed.decision(TODAY_NS - NS_PER_S, 98)
    late = {name: seed.tables.pop(name) for name in ("path_spans", "attributions")}
    seed.insert(own_world.client())
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        visit.page.goto(f"{pages.url}/decision?id=d-98")
        box = visit.page.locator("#decision-waterfall")
        expect(box).to_contain_text("not assembled yet")
        expect(visit.page.get_by_role("heading", level=1)).to_contain_text("not attributed yet")
        seed.tables = late
        seed.insert(own_world.client())
        expect(visit.page.get_by_role("treeitem")).to_have_count(5)
        expect(box).not_to_contain_text("not assembled yet")
        assert faults(visit) == []


def test_decision_whose_spans_lapsed_says_so(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """Its split is kept for longer than they are."""
    seed = Seed(random.Random(4))
    seed.decision(TODAY_NS - NS_PER_S, 98)
    seed.tables.pop("path_spans")
    seed.insert(own_world.client())
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        visit.page.goto(f"{pages.url}/decision?id=d-98")
        box = visit.page.locator("#decision-waterfall")
        expect(box).to_contain_text("which are no longer kept")
        expect(visit.page.get_by_text("1 lapsed")).to_be_visible()
        expect(visit.page.get_by_role("heading", level=1)).to_contain_text("took")


def test_answer_that_does_not_come_is_asked_for_again(visit: Visit, pages: Served) -> None:
    """A page that waits for nothing and says nothing is taken for a decision without spans."""
    page = visit.page
    page.route("**/api/v1/waterfall?*", lambda route: route.abort())
    page.goto(f"{pages.url}/decision?id=d-3")
    again = page.get_by_role("button", name="Ask again")
    expect(again).to_be_visible()
    expect(page.locator("#decision-waterfall")).to_contain_text("Millworth did not answer.")
    page.unroute("**/api/v1/waterfall?*")
    again.click()
    expect(page.get_by_role("treeitem")).to_have_count(5)
    expect(again).to_have_count(0)


def test_decision_that_is_not_there_says_what_to_do(visit: Visit, pages: Served) -> None:
    """A link into another store, or a decision that has expired."""
    visit.page.goto(f"{pages.url}/decision?id=no/such&x")
    expect(visit.page.get_by_role("heading", level=1)).to_have_text("No decision has this id")
    expect(visit.page.locator("#decision-waterfall")).to_contain_text("no decision has the id")


def test_long_name_leaves_its_service_in_sight(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """Whose span it is: names of 70 characters took the whole of their rows."""
    seed = Seed(random.Random(4))
    odd_trace(seed)
    name = "com.example.pricing.quotes.internal.QuoteService/ComputeAllOffersOfOne"
    for row in seed.tables["path_spans"]:
        if row["decision_id"] == "d-99":
            row.update(span_name=name, service_name="pricing")
    seed.insert(own_world.client())
    visit.page.add_init_script("""
        window.drawn = [];
        const draw = CanvasRenderingContext2D.prototype.fillText;
        CanvasRenderingContext2D.prototype.fillText = function (text, ...place) {
            window.drawn.push(text);
            return draw.call(this, text, ...place);
        };""")
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        open_tree(visit, pages, "d-99")
        visit.page.wait_for_function("window.drawn.some(text => text.startsWith('com.example'))")
        assert "pricing" in visit.page.evaluate("window.drawn")
