"""What decisions lost is one figure: in a comparison, in the list, and of one of them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from attribution.core.config import AttributionConfig
from attribution.jobs.attribution import AttributionJob
from collector.core.config import AttributesConfig
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from dashboard.pages.decision import page as decision_page
from dashboard.pages.explore import page as explore
from dashboard.read.reader import Reader
from dashboard.read.scope import parse_scope
from dashboard.units import Zone, usd, utc_iso
from tests.conftest import ManualClock
from tests.support.attribution.stored import (
    BASE_NS,
    decision,
    put_sales,
    put_spans,
    span_id,
    trace_id,
)
from tests.support.dashboard.app import Api, page_context

UNTIL = f"{utc_iso(BASE_NS + 400 * NS_PER_S)}Z"
SCOPE = {"window": "400s", "until": UNTIL}
FAILED, SLOW, ALL = 20, 100, 400


@pytest.fixture
def failing(store: Connections) -> Connections:
    """Return a store in which a fourth of eu is slow, and a fifth of these fail; some sell."""
    spans, sold = [], []
    for at in range(ALL):
        slow = at % 4 == 0
        failed = slow and at % 20 == 0
        one = decision(
            f"d{at}",
            1_000 * at,
            (300 if slow else 60) + at % 13,
            decision__region="eu" if slow or at % 8 == 1 else "us",
            # Of the last of them the value is what they state.
            decision__action="offer" if at % 5 else "gift",
            decision__value_usd="4",
        )
        spans += [replace(each, status="Error" if failed and not each.parent else "Unset")
                  for each in one]  # fmt: skip
        if at % 3 == 0 and not failed and at % 5:
            sold.append(f"d{at}")
    put_spans(store, spans)
    put_sales(store, sold, "10", told_s=420)
    AttributionJob(AttributionConfig(), AttributesConfig(), store).drain(BASE_NS + 3000 * NS_PER_S)
    return store


def test_the_dollars_of_a_box_are_those_of_the_list_of_its_decisions(failing: Connections) -> None:
    """$272 of $313 were lost by failures, and the comparison knew nothing of them."""
    api = Api(failing)
    body = {"before": SCOPE, "after": {**SCOPE, "low_ms": 120}, "rest": True}
    got = api.send("POST", "/api/v1/compare", json=body).json()
    assert (got["decisions_after"], got["failures"]["after"]) == (SLOW, FAILED)
    assert got["failures"]["is_different"]

    def lost(**more: object) -> Decimal:
        asked = {**SCOPE, "low_ms": "120", **more}
        totals = api.send("GET", "/api/v1/decisions", params=asked).json()["totals"]
        return Decimal(totals["loss_usd"])

    assert float(got["lost_after"]["usd"]) == pytest.approx(float(lost()), abs=0.006)
    assert float(got["lost_after"]["failed_usd"]) == pytest.approx(
        float(lost(failed="true")), abs=0.006
    )
    assert lost(failed="true") > lost() / 2
    # An hour's, from the first to the last second of the box, less what as many others lose.
    assert Decimal(got["lost_before"]["usd"]) == 0
    assert float(got["usd_per_hour"]) == pytest.approx(float(lost()) * 3600 / 397, rel=1e-3)
    by_failures = float(got["failures"]["usd_per_hour"])
    assert by_failures == pytest.approx(float(lost(failed="true")) * 3600 / 397, rel=1e-3)
    for name in ("action", "region", "channel"):
        own = [each for each in got["values"] if each["dimension"] == name]
        for key in ("usd_per_hour", "failed_usd_per_hour"):
            assert sum(Decimal(each[key]) for each in own) == pytest.approx(0, abs=Decimal("0.02"))
    [eu] = [each for each in got["values"] if each["value"] == "eu"]
    assert (eu["failed_after"], eu["is_different"]) == (FAILED, True)
    share = eu["decisions_before"] / got["decisions_before"]
    assert float(eu["failed_usd_per_hour"]) == pytest.approx(by_failures * (1 - share), rel=1e-3)


def test_the_page_says_how_much_is_failures_and_leads_to_them(failing: Connections) -> None:
    """In the sentence, beside the counts, and in a line with the decisions that failed."""
    with page_context(Reader(failing)) as context:
        later = replace(context, clock=ManualClock(BASE_NS + 400 * NS_PER_S))
        query = f"?window=400s&until={UNTIL}&brush_ms=120.."
        shown = explore.why(later, parse_scope(query))
    said = str(shown["explore-said.children"])
    assert said.startswith("region eu, all of the box, in decision/compute: +$")
    assert "of it by failures (20.0 % failed, 0.0 % of the rest)" in said
    assert f"{FAILED} failed (20.0 %), $" in str(shown["explore-why-note.children"])
    assert "failed=1" in str(shown["explore-values.children"])


@pytest.mark.parametrize(("name", "by"), [("d396", "its class"), ("d0", "what its sender stated")])
def test_one_decision_is_worth_the_same_wherever_it_is_shown(
    failing: Connections, name: str, by: str
) -> None:
    """The list, the page and the panel of a span had three answers, two of them called expected."""
    wanted = trace_id(name)
    api = Api(failing)
    listed = api.send("GET", "/api/v1/decisions", params={**SCOPE, "low_ms": "120", "limit": "200"})
    [row] = [each for each in listed.json()["decisions"] if each["decision_id"] == wanted]
    span = {"decision_id": wanted, "span_id": span_id("post")}
    panel = api.send("GET", "/api/v1/waterfall/span", params=span).json()["money"]
    names = ("value_usd", "is_stated", "loss_usd", "loss_low_usd", "loss_high_usd")
    assert [panel[each] for each in names] == [row[each] for each in names]
    with page_context(Reader(failing)) as context:
        found = decision_page.read(context, wanted)
    assert found is not None
    shown = decision_page.show(found, Zone())
    head = str(shown["decision-said.children"])
    low, high = (usd(Decimal(row[f"loss_{end}_usd"])) for end in ("low", "high"))
    lost = f"lost {usd(Decimal(row['loss_usd']))} (90 %: {low} to {high})"
    assert f"{lost}, worth {usd(Decimal(row['value_usd']))} by {by}" in head
    # What the sender stated is named so, and once.
    assert ("stated by the sender: $4.00" in head) == (by == "its class")
    assert "expected" not in head + str(shown["decision-facts.children"])
