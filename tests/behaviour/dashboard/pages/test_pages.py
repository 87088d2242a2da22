"""Pages: what is laid out, and what is said of what was read."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from attribution.core.config import AttributionConfig
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from dashboard.health.items import HealthItem
from dashboard.pages.answers import budgets, health
from dashboard.pages.context import PageContext
from dashboard.pages.decision import page as decision
from dashboard.pages.decisions import page as decisions
from dashboard.pages.overview import page as overview
from dashboard.read.decisions.listing import DecisionList
from dashboard.read.reader import Reader
from dashboard.read.scope import parse_scope
from dashboard.units import Zone
from dashboard.web.app import PAGES
from tests.conftest import ManualClock
from tests.support.attribution.stored import trace_id
from tests.support.dashboard.app import page_context
from tests.support.dashboard.revisions import LINE, put_late_span
from tests.support.dashboard.seed import TODAY_NS, Seed


@pytest.fixture
def context(reader: Reader) -> Iterator[PageContext]:
    """Return what pages are given, over the shared store."""
    with page_context(reader) as context:
        yield context


def text_of(component: Any) -> str:  # noqa: ANN401  a Dash component
    """Return a component as its JSON, to look for words in."""
    return json.dumps(component, default=lambda part: part.to_plotly_json(), ensure_ascii=False)


def ids_of(component: Any) -> set[str]:  # noqa: ANN401  a Dash component
    """Return every id in a layout."""
    return {part.id for part in component._traverse() if getattr(part, "id", None)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.PATH)
def test_each_output_of_a_page_is_in_its_layout(page: ModuleType, context: PageContext) -> None:
    """An output that is not laid out fails in the browser, without a word on the page."""
    ids = ids_of(page.layout("", context))
    assert {output.rsplit(".", 1)[0] for output in page.OUTPUTS} <= ids


def test_the_ids_that_other_tests_hold_on_to(context: PageContext) -> None:
    """A browser test follows an alert to its decision by these."""
    assert {"overview-alerts", "overview-path"} <= ids_of(overview.layout("", context))
    assert {"decision-waterfall", "decision-packets-note"} <= ids_of(decision.layout("", context))
    assert "health-said" in ids_of(health.layout("", context))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.PATH)
def test_each_page_has_one_main_heading(page: ModuleType, context: PageContext) -> None:
    """A screen reader finds its way by headings."""
    assert text_of(page.layout("", context)).count('"type": "H1"') == 1


def test_decision_shows_parts_that_sum_to_its_latency(context: PageContext) -> None:
    """The sum is written out, so that anyone can check it."""
    found = decision.read(context, "d-12")
    assert found is not None
    shown = decision.show(found, Zone())
    assert set(shown) == set(decision.READ)
    check = shown["decision-budget-note.children"]
    assert check == "16 parts: 111,000,000 ns = 111,000,000 ns from ingress to egress"
    assert "66.000 ms" in text_of(shown["decision-budget.children"])
    assert shown["decision-title.children"] == (
        "111.0 ms, 31.0 ms over target: decision/store took 66.0 ms"
    )
    assert shown["decision-packets-note.children"] == "3 exchanges linked by 3 tuple+time"
    assert "order-12" not in text_of(shown["decision-facts.children"])


def test_decision_says_what_a_late_span_changed(context: PageContext, store: Connections) -> None:
    """From its revision before; one without late spans has nothing to say."""
    put_late_span(store)
    shown = {}
    for name in ("a", "b"):
        found = decision.read(dataclasses.replace(context, reader=Reader(store)), trace_id(name))
        assert found is not None
        shown[name] = text_of(decision.show(found, Zone())["decision-facts.children"])
    assert LINE in shown["a"]
    assert "what changed" not in shown["b"]


def test_decision_without_packets_says_which_remedy_applies(context: PageContext) -> None:
    """No privilege and not sampled look the same, and are mended differently."""
    found = decision.read(context, "d-3")
    assert found is not None
    shown = decision.show(found, Zone())
    assert "run as root" in text_of(shown["decision-packets-note.children"])
    # What a colleague or a ticket is sent.
    assert "/api/v1/decisions/d-3" in str(shown["decision-said.children"])
    assert "/api/v1/packets/" not in str(shown["decision-said.children"])
    assert decision.why_no_packets(HealthItem("packet.recorder", "on", "", "ok")).startswith(
        "No packet of this decision was kept"
    )


def test_young_decision_is_read_again_until_its_packets_are_weighed(
    context: PageContext, store: Connections
) -> None:
    """Who follows an alert at once is ahead of the packets, and would never see what they prove."""
    seed = Seed(random.Random(1))
    began_ns = TODAY_NS - NS_PER_S
    seed.decision(began_ns, 1)
    seed.decision(began_ns, 2, packets=True)
    seed.insert(store.client())
    reader = Reader(store)
    listed = DecisionList(reader, AttributionConfig(), context.reference)
    here = dataclasses.replace(context, reader=reader, decisions=listed)

    def ticks(decision_id: str, line: str, seconds: int = 0) -> object:
        later = ManualClock(TODAY_NS + seconds * NS_PER_S)
        found = decision.read(dataclasses.replace(here, clock=later), decision_id)
        assert found is not None
        shown = decision.show(found, Zone())
        assert line in text_of(shown["decision-facts.children"])
        return shown["decision-tick.max_intervals"]

    assert ticks("d-1", "no packets of it are kept") == decision.TICKS_MAX
    assert ticks("d-2", "linked, being weighed") == decision.TICKS_MAX
    assert ticks("d-2", "none of its waits has packets", 600) == 0
    store.client().insert(
        "path_evidence",
        [[began_ns, "d-2", "a" * 16, "decision", "store", 7_000_000, 7_000_000]],
        column_names=[
            "ingress_ns", "decision_id", "span_id", "stage", "class", "self_ns", "think_ns",
        ],
    )  # fmt: skip
    assert ticks("d-2", "think 7.000 ms") == 0


def test_unknown_decision_says_so(context: PageContext) -> None:
    """A link into another store, or a decision that has expired."""
    assert decision.read(context, "nope") is None
    shown = decision.show_unknown("nope")
    assert set(shown) == set(decision.READ)
    assert shown["decision-title.children"] == "No decision has this id"
    assert "Search " in text_of(shown["decision-said.children"])


@pytest.mark.parametrize(("channel", "is_said"), [("nosuch", True), ("web", False)])
def test_budgets_say_a_channel_that_no_decision_has(
    context: PageContext, channel: str, *, is_said: bool
) -> None:
    """The sentence below, of all decisions, was read as if of that channel."""
    for query in (f"?channel={channel}", f"?channel={channel}&window=1s"):
        shown = budgets.read(context, parse_scope(query)).shown
        assert ("no decision has it" in text_of(shown["budgets-chips.children"])) is is_said


def test_list_finds_by_trace_id(context: PageContext) -> None:
    """A search is not bound to the window."""
    scope = parse_scope(f"?q={12:032x}&until=2020-01-01T00:00:00Z")
    rows = decisions.read(context, scope)["decisions-list.rowData"]
    assert isinstance(rows, list)
    at_ns = TODAY_NS - 48 * NS_PER_S
    assert [row["href"] for row in rows] == [f"/decision?id=d-12@{at_ns}"]
