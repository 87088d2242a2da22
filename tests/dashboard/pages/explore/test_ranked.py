from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

from attribution.whatif.answers import (
    CompareAnswer,
    Latencies,
    SegmentDifference,
    ValueDifference,
)
from dashboard.pages.explore.ranked import (
    listed,
    populations,
    rows_of_segments,
    rows_of_values,
    sentence,
)
from dashboard.read.decisions.brush import Brush
from dashboard.read.scope import parse_scope

EU = ValueDifference(
    "region", "eu-west", 30, 60, 90.0, 300.0, 66.0, 60.0, 72.0, 1e-9, True, Decimal("412.5")
)
WEB = replace(EU, dimension="channel", value="", q=0.6, is_different=False, usd_per_hour=None)
STORE = SegmentDifference(
    "decision/store", 14.0, 134.0, 120.0, 110.0, 130.0, 1e-9, True, Decimal(800)
)
FOUND = CompareAnswer(
    verdict="different",
    decisions_before=180,
    decisions_after=60,
    before=Latencies(100.0, 99.0, 120.0, 130.0),
    after=Latencies(300.0, 299.0, 320.0, 330.0),
    change_ms=200.0,
    mix_ms=0.0,
    uncompared=0,
    slope="assumed rate",
    segments=[STORE],
    values=[EU, WEB],
    one_in_before=7,
    one_in_after=1,
    is_assumed=True,
)
BEGIN_NS, END_NS = 1_700_000_000_000_000_000, 1_700_000_900_000_000_000
SEEN = (BEGIN_NS, END_NS)


def links(component: Any) -> dict[str, dict[str, str]]:  # noqa: ANN401  a Dash component
    """Return where the links of a list lead: path and query by their text."""
    found = {}
    for part in component._traverse():
        if getattr(part, "href", None):
            url = urlsplit(part.href)
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            found[part.children] = {"path": url.path, **query}
    return found


def test_the_sentence_names_who_where_and_what_it_costs() -> None:
    """It is the largest thing of the page."""
    assert sentence(FOUND) == "region eu-west, in decision/store: +$412.50 / h"
    assert (
        sentence(replace(FOUND, values=[])) == "all of them alike, in decision/store: +$800.00 / h"
    )
    unknown = replace(FOUND, values=[replace(EU, usd_per_hour=None)])
    assert sentence(unknown) == "region eu-west, in decision/store: money unknown"
    nothing = replace(FOUND, values=[], segments=[], verdict="no difference found")
    assert "chance" in sentence(nothing)
    assert "30 decisions" in sentence(replace(FOUND, verdict="n too small"))
    assert sentence(replace(FOUND, after=None)).startswith("No decision in the box")


def test_what_costs_more_is_red_though_it_took_less_than_its_share_of_the_time() -> None:
    """The dear region loses dollars while the cheap one loses time: whom to look at is the dear."""
    dear = replace(EU, value="us-east", excess_ms=-0.9, low_ms=-1.0, high_ms=-0.8)
    cheap = replace(EU, excess_ms=0.9, low_ms=0.8, high_ms=1.0, usd_per_hour=Decimal("-412.5"))
    found = replace(FOUND, values=[cheap, dear])
    assert sentence(found) == "region us-east, in decision/store: +$412.50 / h"
    unknown = replace(dear, usd_per_hour=None)
    rows = rows_of_values(replace(FOUND, values=[dear, cheap, unknown]), "the others")
    assert [row.is_more for row in rows] == [True, False, False]


def test_both_sides_are_said_with_n_and_how_many_stand_for_one() -> None:
    """A sample is said to be one."""
    assert populations(FOUND, "The rest") == (
        "In the box: 60 decisions, mean 300.0 ms. "
        "The rest: 180 decisions (one in 7), mean 100.0 ms."
    )


def test_a_value_is_one_click_from_a_filter_and_from_its_decisions() -> None:
    """Both carry the whole scope; the list is of the box."""
    scope = parse_scope(
        "?action=offer&service=edge&mode=late&brush_ms=120..&until=2023-11-14T22:28Z"
    )
    box = Brush(BEGIN_NS, BEGIN_NS + 60_000_000_000, 120.0, None)
    rows = rows_of_values(FOUND, "the rest")[:1]
    found = links(listed(rows, scope, box, SEEN, "Values")[0])
    only = found["Only these"]
    assert (only["path"], only["region"], only["action"]) == ("/explore", "eu-west", "offer")
    assert (only["service"], only["mode"], only["brush_ms"]) == ("edge", "late", "120..")
    listing = found["Decisions"]
    assert (listing["path"], listing["region"], listing["low_ms"]) == (
        "/decision",
        "eu-west",
        "120",
    )
    assert (listing["window"], listing["service"], listing["sort"]) == ("1m", "edge", "lost")
    assert "brush" not in listing


def test_a_segment_is_a_filter_too_and_what_chance_explains_is_folded() -> None:
    """An empty value cannot be filtered by; nothing that is unknown is a zero."""
    scope = parse_scope("")
    (told,) = listed(rows_of_segments(FOUND), scope, Brush(low_ms=1), SEEN, "Segments")
    assert links(told)["Only these"]["segment"] == "decision/store"
    _, rest = listed(rows_of_values(FOUND, "the rest"), scope, Brush(low_ms=1), SEEN, "Values")
    assert links(rest) == {}
    text = json.dumps(rest, default=lambda part: part.to_plotly_json())
    assert "1 that chance explains" in text
    assert "unknown" in text
    assert "$0.00" not in text


def test_slower_value_that_costs_nothing_is_a_difference() -> None:
    """Its dollars are 0 where its class earned nothing: it was no difference at all then."""
    free = replace(EU, usd_per_hour=Decimal(0))
    text = sentence(replace(FOUND, values=[free], segments=[]))
    assert text.startswith("region eu-west")
    cheap = replace(EU, value="eu", usd_per_hour=Decimal(-358))
    dear = replace(EU, value="us", excess_ms=-0.8, usd_per_hour=Decimal(358))
    assert sentence(replace(FOUND, values=[cheap, dear], segments=[])).startswith("region us")
