"""Explore over a real store: the heatmap, the box, the ranking, and its states."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from attribution.core.config import AttributionConfig
from attribution.whatif.analyst import Analyst
from collector.core.errors import InputError, StoreUnavailableError
from collector.core.times import NS_PER_DAY, NS_PER_MS, NS_PER_S
from collector.store.connect import Connections, connect
from dashboard.pages.context import PageContext
from dashboard.pages.decisions.page import criteria_of
from dashboard.pages.explore import page as explore
from dashboard.pages.explore.box import typed_box
from dashboard.read.decisions.kept import KeptCells
from dashboard.read.reader import Reader
from dashboard.read.scope import parse_scope
from dashboard.units import Zone
from tests.conftest import ManualClock
from tests.support.dashboard.app import Api, page_context
from tests.support.dashboard.seed import REGIONS, TODAY_NS, Seed

SLOW, FAST = 40, 120


@pytest.fixture
def busy(store: Connections) -> Connections:
    """Return a store in which one region waits 90 ms more for its store, and costs a dollar."""
    seed = Seed(random.Random(7))
    for number in range(SLOW + FAST):
        slow = number < SLOW
        seed.decision(
            TODAY_NS - (170 - number) * NS_PER_S,
            number,
            region=REGIONS[0] if slow or number % 4 == 0 else REGIONS[1],
            store_ms=90.0 if slow else 0.0,
            jitter=0.1,
        )
    for number in range(SLOW + FAST):
        slow = number < SLOW
        seed.cell(
            TODAY_NS - (170 - number) * NS_PER_S,
            region=REGIONS[0] if slow or number % 4 == 0 else REGIONS[1],
            decisions=1,
            late=int(slow),
            loss="0.025" if slow else "0",
        )
    for row in seed.tables["revenue_cells"]:
        row |= dict.fromkeys(("lost_share", "lost_share_low", "lost_share_high"), 0.01)
    seed.insert(store.client())
    return store


@pytest.fixture
def context(busy: Connections) -> Iterator[PageContext]:
    """Return what pages are given over it."""
    with page_context(Reader(busy)) as context:
        yield context


def text_of(part: Any) -> str:  # noqa: ANN401  a Dash component
    """Return a component as its JSON."""
    return json.dumps(part, default=lambda each: each.to_plotly_json(), ensure_ascii=False)


def test_heatmap_counts_late_and_dollars_of_the_same_decisions(busy: Connections) -> None:
    """Each mode is another view of one reading; a filter narrows all three."""
    api = Api(busy)
    got = api.send("GET", "/api/v1/heatmap", params={"window": "5m"}).json()
    cells = got["cells"]
    assert (got["step_ns"], sum(cell["decisions"] for cell in cells)) == (5 * NS_PER_S, 160)
    assert sum(cell["late"] for cell in cells) == SLOW
    assert all((float(cell["loss_usd"]) > 0) == (cell["late"] > 0) for cell in cells)
    east = api.send("GET", "/api/v1/heatmap", params={"window": "5m", "region": REGIONS[1]})
    assert sum(cell["late"] for cell in east.json()["cells"]) == 0
    bad = api.send("GET", "/api/v1/heatmap", params={"segment": "disk"})
    assert (bad.status_code, "names no segment" in bad.json()["detail"]) == (400, True)


def test_cells_of_several_days_name_their_day(busy: Connections) -> None:
    """Sixteen rows were called `12:00:00`; so is the range that a box is compared with."""
    now_ns = TODAY_NS + 3 * NS_PER_DAY
    with page_context(Reader(busy)) as context:
        later = replace(context, clock=ManualClock(now_ns))
        shown = explore.heat(later, parse_scope("?window=7d"), KeptCells(later.decisions))
    day = Zone().second(TODAY_NS)[:10]
    assert f'"{day} ' in text_of(shown["explore-heatmap-table.children"])
    assert f"to {Zone().at(now_ns)};" in str(shown["explore-heatmap-box.aria-label"])
    before = f"{day}T00:00:00Z..{day}T00:05:00Z"
    asked = explore.question_of(parse_scope(f"?against={before}"), now_ns)
    assert asked.other == f"{day} 00:00:00 to {day} 00:05:00"


def test_a_box_names_the_region_and_the_segment(context: PageContext) -> None:
    """The whole way from an address to the sentence, by the code of /api/v1/compare."""
    shown = explore.why(context, parse_scope("?window=5m&brush_ms=120.."))
    assert str(shown["explore-said.children"]).startswith(
        "region eu-west, all of the box, in decision/store"
    )
    assert f"In the box: {SLOW} decisions" in text_of(shown["explore-why-note.children"])
    assert "assumed rate" not in str(shown["explore-said.children"])
    assert "100.0 % of the box (n 40)" in text_of(shown["explore-values.children"])
    assert "segment=decision%2Fstore" in text_of(shown["explore-segments.children"])


def test_the_page_says_what_the_route_says(busy: Connections, context: PageContext) -> None:
    """One computation: the same q, interval and n."""
    scope = {"window": "5m"}
    body = {"before": scope, "after": {**scope, "low_ms": 120}, "rest": True}
    got = Api(busy).send("POST", "/api/v1/compare", json=body).json()
    first = got["values"][0]
    shown = text_of(explore.why(context, parse_scope("?window=5m&brush_ms=120.."))
                    ["explore-values.children"])  # fmt: skip
    assert f"(n {first['decisions_after']})" in shown
    assert f"{first['low_ms']:+,.1f} ms to {first['high_ms']:+,.1f} ms" in shown


def test_without_a_box_the_page_says_how_to_make_one(context: PageContext) -> None:
    """And offers the late ones, over the range as it stands now."""
    shown = explore.why(context, parse_scope("?window=5m"))
    assert "Drag a box" in text_of(shown["explore-said.children"])
    assert "brush_ms=80.." in str(shown["explore-late.href"])
    assert "until=" in str(shown["explore-late.href"])


def test_a_bad_box_is_told_and_the_heatmap_stays(context: PageContext) -> None:
    """Whoever mistypes one field does not lose the figure."""
    scope = parse_scope("?window=5m&brush=ten..eleven")
    assert "is not FROM..TO" in text_of(explore.why(context, scope)["explore-said.children"])
    figure: Any = explore.heat(context, scope, KeptCells(context.decisions))[
        "explore-heatmap.figure"
    ]
    assert figure["data"]
    with pytest.raises(InputError, match="'price' is not a mode"):
        explore.heat(context, parse_scope("?mode=price"), KeptCells(context.decisions))


def test_a_typed_box_becomes_an_address_and_stands_still(context: PageContext) -> None:
    """Keyboard users brush too; each field says what is wrong with it."""
    now_ns = context.clock.now_ns()
    query, *errors = typed_box(parse_scope(""), ("now-2m..now-1m", ">100", ""), now_ns)
    assert errors == ["", "", ""]
    scope = parse_scope(str(query))
    assert scope.until_ns == now_ns // NS_PER_MS * NS_PER_MS
    assert scope.filter("brush_ms") == "100.."
    asked = explore.question_of(scope, now_ns)
    assert asked.brush.to_ns == now_ns - 60 * NS_PER_S
    _, *errors = typed_box(parse_scope(""), ("soon", "fast", "then"), now_ns)
    assert all(errors)


def test_a_store_that_fails_leaves_a_mark_and_a_way_to_try_again(context: PageContext) -> None:
    """The mark is in the log, so that whoever runs the service finds what happened."""

    def away(*_sides: object, **_rest: object) -> Any:  # noqa: ANN401  raises
        raise StoreUnavailableError("the store is away")

    shown = explore.why(replace(context, compare=away), parse_scope("?window=5m&brush_ms=120.."))
    assert "the store is away" in text_of(shown["explore-said.children"])
    assert shown["explore-retry.hidden"] is False


def test_an_empty_store_is_an_answer(store: Connections) -> None:
    """No decision yet: what to do next, and no zero dollars."""
    with page_context(Reader(store)) as context:
        shown = explore.heat(context, parse_scope(""), KeptCells(context.decisions))
        assert "Overview says how to send" in text_of(shown["explore-heatmap.figure"])
        assert "how to send the first one" in text_of(shown["explore-chips.children"])
        guide = text_of(explore.why(context, parse_scope(""))["explore-said.children"])
        assert "see how to send the first one" in guide
        assert "brushed" not in guide
        shown = explore.why(context, parse_scope("?brush_ms=1.."))
        assert "No decision in the box" in str(shown["explore-said.children"])
        assert "$" not in text_of(shown)


class Short(Connections):
    """A store that reads only a few rows for a question."""

    def reader(self) -> Client:
        """Return a connection with that limit."""
        client = connect(self.config)
        client.set_client_setting("max_rows_to_read", 5)
        return client


def test_a_question_over_its_limit_says_what_to_do(busy: Connections) -> None:
    """The engine ends it; the words are for people."""
    short = Short(busy.config)
    with page_context(Reader(busy)) as context:
        slow = replace(context, compare=Analyst(AttributionConfig(), short).compare)
        shown = explore.why(slow, parse_scope("?window=5m&brush_ms=120.."))
    short.close()
    said = text_of(shown["explore-said.children"])
    assert "Narrow the range" in said
    assert "DB::Exception" not in said


def test_a_day_is_read_once_a_while_and_a_minute_each_time(busy: Connections) -> None:
    """Every viewer asks every few seconds: a column of a day is a quarter of an hour wide."""
    with page_context(Reader(busy)) as context:
        kept = KeptCells(context.decisions)

        def read(window: str, after_s: int) -> int:
            now_ns = TODAY_NS + after_s * NS_PER_S
            wanted = criteria_of(parse_scope(f"?window={window}"), now_ns)
            return kept.read(wanted, now_ns, is_live=True).view.to_ns - TODAY_NS

        assert [read("24h", after_s) for after_s in (0, 5, 50, 60)] == [0, 0, 0, 60 * NS_PER_S]
        assert [read("1m", after_s) for after_s in (0, 1)] == [0, NS_PER_S]
        other = criteria_of(parse_scope("?window=24h&region=eu-west"), TODAY_NS)
        cells = kept.read(other, TODAY_NS, is_live=True).cells
        assert sum(cell.decisions for cell in cells) == 70
