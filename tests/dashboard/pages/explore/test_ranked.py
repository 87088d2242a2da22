from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

from dashboard.pages.explore.ranked import (
    failed_line,
    listed,
    rows_of_segments,
    rows_of_values,
)
from dashboard.pages.explore.sentence import sentence
from dashboard.read.decisions.brush import Brush
from dashboard.read.scope import parse_scope
from tests.support.attribution.comparison import EU, FAILED, FOUND

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


def test_what_costs_more_is_red_though_it_took_less_than_its_share_of_the_time() -> None:
    """The dear region loses dollars while the cheap one loses time: whom to look at is the dear."""
    dear = replace(EU, value="us-east", excess_ms=-0.9, low_ms=-1.0, high_ms=-0.8)
    cheap = replace(EU, excess_ms=0.9, low_ms=0.8, high_ms=1.0, usd_per_hour=Decimal("-412.5"))
    found = replace(FOUND, values=[cheap, dear])
    assert sentence(found, "the rest") == "region us-east, in decision/store: +$412.50 / h"
    unknown = replace(dear, usd_per_hour=None)
    rows = rows_of_values(replace(FOUND, values=[dear, cheap, unknown]), "the others")
    assert [row.is_more for row in rows] == [True, False, False]


def test_failures_have_a_line_of_their_own_that_leads_to_them() -> None:
    """With both shares, their money, and the decisions of the box that failed."""
    scope = parse_scope("?action=offer")
    (line,) = failed_line(FAILED, "the rest", scope, Brush(low_ms=120.0), SEEN)
    text = json.dumps(line, default=lambda part: part.to_plotly_json())
    assert "10.0 % of the box (n 6), 0.0 % of the rest (n 0)" in text
    assert "+$700.00 / h" in text
    assert links(line)["Decisions"]["failed"] == "1"
    assert failed_line(FOUND, "the rest", scope, Brush(low_ms=120.0), SEEN) == []
    (told,) = listed(rows_of_values(FAILED, "the rest"), scope, Brush(low_ms=1), SEEN, "Values")
    said = json.dumps(told, default=lambda part: part.to_plotly_json())
    assert "+$350.00 of it by failures" in said
    assert "15.0 % failed, 0.0 % of the rest (q < 0.001)" in said


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
        "/decisions",
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
