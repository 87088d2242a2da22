from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from attribution.core.config import AttributionConfig, ChannelConfig, RevenueNode
from attribution.jobs.attribution import AttributionJob
from collector.core.config import AttributesConfig, OutcomesConfig
from collector.core.times import NS_PER_DAY, NS_PER_S
from collector.imports.channels import COLUMNS, import_channels
from collector.imports.costs import import_costs
from collector.imports.rates import LEDGER, import_dated
from collector.store.connect import Connections
from dashboard.api.review.findings import Finding, findings
from dashboard.api.review.job import Review, ReviewJob
from dashboard.api.review.quarter import parse_quarter
from dashboard.bench.reference import register
from tests.support.attribution.stored import (
    BASE_NS,
    decision,
    outcome,
    put_outcomes,
    put_spans,
    trace_id,
)

QUARTER = parse_quarter("2033Q2")  # 2033-05-18 is in it
AFTER_NS = QUARTER.to_ns + 1
DAY_S = 86_400
ODD = "a|b <i>*[x](y)* 日本"
CONFIG = AttributionConfig(
    nodes=(RevenueNode(name="shop", channel="web"), RevenueNode(name=ODD, channel=ODD))
).reading(OutcomesConfig(), {"web": ChannelConfig(kind="paid"), "app": ChannelConfig(kind="owned")})


@pytest.fixture
def traded(store: Connections) -> Connections:
    """Return a store of 20 decisions of two channels in a day, paid for, billed and booked."""
    put_spans(
        store,
        [
            each
            for at in range(20)
            for each in decision(f"d{at}", 1_000 * at, 90, decision__channel=("web", ODD)[at % 2])
        ],
    )
    put_outcomes(
        store,
        [
            outcome(f"o{at}", decision_id=trace_id(f"d{at}"), margin="4.00", revenue="10.05")
            for at in range(8)
        ],
    )
    client = store.client()
    ledger = b"day,currency,amount\n2033-05-18,USD,81.40\n"
    import_dated(client, LEDGER, "l.csv", ledger, BASE_NS, "shop")
    paid = f"{','.join(COLUMNS)}\nweb,2033-05-18,20,30,USD,7\nghost,2033-05-18,1,9,USD,\n"
    import_channels(client, "c.csv", paid.encode(), "ads", BASE_NS)
    day = "2033-05-18T00:00:00Z,2033-05-19T00:00:00Z"
    bill = (
        "BilledCost,EffectiveCost,BillingCurrency,ChargePeriodStart,ChargePeriodEnd,"
        f"ServiceProviderName,ChargeCategory\n0.03,0.02,USD,{day},Zürich Cloud,Usage\n"
        f"0.01,0.01,USD,{day},,Usage\n"
    )
    import_costs(client, "b.csv", bill.encode(), "bill", BASE_NS)
    register(store, BASE_NS)
    AttributionJob(CONFIG, AttributesConfig(), store).drain(BASE_NS + 100 * NS_PER_S)
    return store


def reviewed(store: Connections, config: AttributionConfig = CONFIG) -> Review:
    """Return the review, asked for after the quarter."""
    return ReviewJob(config, store, 400).review(QUARTER, AFTER_NS)


def by_id(found: list[Finding]) -> dict[str, list[str]]:
    """Return the texts of findings."""
    texts: dict[str, list[str]] = {}
    for each in found:
        texts.setdefault(each.id, []).append(each.text)
    return texts


def test_review_holds_every_part_by_hand(traded: Connections) -> None:
    """40.20 of each node, 1.00 in the ledger alone; 16.00 earned for 30.00; 0.03 over 20."""
    of = reviewed(traded)
    assert [(each.name, str(each.revenue)[:5]) for each in of.nodes.nodes] == [
        ("shop", "40.20"), (ODD, "40.20"),
    ]  # fmt: skip
    assert (of.nodes.unmapped.revenue, of.nodes.total) == (Decimal("1.00"), Decimal("81.40"))
    web = next(each for each in of.channels.channels if each.name == "web")
    assert (web.acquisition_usd, web.horizons[0].after_acquisition_usd) == (
        Decimal("30.00"), Decimal("-14.00"),
    )  # fmt: skip
    assert (of.unit_cost.per_decision, len(of.unit_cost.by_provider)) == (Decimal("0.0015"), 2)
    assert of.ranking is not None
    assert {each["name"] for each in of.ranking["groups"]} == {"web", ODD}
    assert [(each.name, each.state) for each in of.experiments] == [("reference", "running")]
    assert (of.coverage.decisions, of.coverage.days_with_decisions, of.coverage.days) == (20, 1, 91)


def test_findings_say_what_does_not_hold(traded: Connections) -> None:
    """Each with its figure; the gravest come first."""
    found = findings(reviewed(traded))
    texts = by_id(found)
    assert texts["ledger-differs"] == [
        "ledger and outcomes differ on 1 days, by 1.00 USD without signs: 2033-05-18"
    ]
    assert texts["channel-without-decisions"] == [
        "channel ghost: 9.00 USD were paid, and no decision names it"
    ]
    assert texts["channel-loses"] == [
        "channel web: margin less what was paid is -14.00 USD within 30 days"
    ]
    assert texts["channel-kind"] == [
        f"channel {ODD}: nobody says whether it is paid or owned",
        "channel ghost: nobody says whether it is paid or owned",
    ]
    assert texts["days-without-decisions"][0].startswith("decisions are stored of 1 of 91 days")
    assert texts["slope-not-identified"][0].startswith("what a millisecond is worth rests on: assu")
    assert texts["bill-without-a-provider"] == ["1 lines of bills name no provider"]
    assert texts["bills-cover-a-part"] == [
        "bills cover 1.1% of the quarter; the rest is in no unit cost"
    ]
    order = [each.severity for each in found]
    assert order == sorted(order, key=("problem", "warning", "note").index)


def test_same_data_give_the_same_review_and_amended_ones_another(traded: Connections) -> None:
    """Whenever it is asked for; what comes after the quarter is in it and said so."""
    first = reviewed(traded)
    assert ReviewJob(CONFIG, traded, 400).review(QUARTER, AFTER_NS + 90 * NS_PER_DAY) == first
    assert "amended-since" not in by_id(findings(first))
    late_s = (QUARTER.to_ns - BASE_NS) / NS_PER_S + 10
    put_outcomes(
        traded,
        [
            outcome("late", decision_id=trace_id("d19"), margin="1.50", event_s=20 * DAY_S,
                    received_s=late_s),
            outcome("too late", decision_id=trace_id("d18"), margin="9", event_s=60 * DAY_S,
                    received_s=late_s),
        ],
    )  # fmt: skip
    AttributionJob(CONFIG, AttributesConfig(), traded).drain(QUARTER.to_ns + 60 * NS_PER_S)
    second = reviewed(traded)
    odd = next(each for each in second.channels.channels if each.name == ODD)
    assert odd.horizons[0].earned_usd == Decimal("17.50")
    assert by_id(findings(second))["amended-since"] == [
        "1 outcome of the quarter came after it, and 1 of its decisions happened after "
        "it; they are in the figures as far as the horizon goes"
    ]


def test_empty_store_is_a_review_of_unknowns(store: Connections) -> None:
    """And of problems: no figure is 0.00 that nobody knows."""
    of = ReviewJob(AttributionConfig(), store, 30).review(QUARTER, QUARTER.from_ns)
    assert (of.is_over, of.ledger, of.gate, of.experiments) == (False, [], [], [])
    assert of.unit_cost.per_decision is None
    texts = by_id(findings(of))
    assert set(texts) == {
        "quarter-not-over", "days-without-decisions", "no-nodes", "slope-not-identified",
        "unit-cost-unknown",
    }  # fmt: skip


def test_contradiction_of_outcomes_is_a_problem(traded: Connections) -> None:
    """What rank warns of is in the pack too."""
    config = CONFIG.reading(OutcomesConfig(complete="all"))
    found: dict[str, Any] = by_id(findings(reviewed(traded, config)))
    assert "outcomes-contradict" not in found  # 20 decisions contradict nothing
