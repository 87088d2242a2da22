"""What telemetry in a real store owes, and what it costs."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest

from attribution.core.config import AttributionConfig
from attribution.core.selection import Selection
from attribution.invest.debt import Priced
from attribution.invest.debt_job import Debt, DebtJob
from attribution.invest.file import InvestFile
from attribution.jobs.attribution import AttributionJob
from collector.core.config import AttributesConfig
from collector.core.times import NS_PER_S
from collector.imports.costs import import_costs
from collector.store.connect import Connections
from tests.support.attribution.stored import (
    BASE_NS,
    Stored,
    decision,
    put_sales,
    put_spans,
    span_id,
    trace_id,
)

DAY_S = 86_400
MONTH = Selection(BASE_NS - 20 * DAY_S * NS_PER_S, BASE_NS + 3600 * NS_PER_S)
YEAR_S = 31_557_600
CACHE = {"cache.name": "offers", "cache.hit": "false"}


def ledger(store: Connections, told: InvestFile | None = None) -> Debt:
    """Return the ledger."""
    return DebtJob(AttributionConfig(), store).ledger(
        told or InvestFile(), MONTH, 14, annualise=True
    )


def by_id(found: Debt) -> dict[str, Priced]:
    """Return its items by their names."""
    return {each.item.id: each for each in found.items}


def test_runtime_flag_and_cache_are_found_with_their_evidence(store: Connections) -> None:
    """The flag is told by a span, an event and a log; nothing of it has dollars of its own."""
    old = {"process.runtime.name": "cpython", "process.runtime.version": "3.6.9"}
    flag = {"feature_flag.key": "new-price", "feature_flag.result.variant": "on"}
    early = -15 * DAY_S * 1000
    put_spans(
        store,
        [
            Stored("a", trace="a", resource=old),
            Stored("b", trace="b", start_ms=early, attributes=flag),
            Stored("c", trace="c", attributes=flag),
            *(
                Stored(f"s{at}", trace="d", start_ms=early if at else 0, kind="Client", name="SET",
                       attributes={"db.system": "redis", "server.address": "s.example.com"})
                for at in range(120)
            ),
        ],
    )  # fmt: skip
    store.client().insert(
        "otel_traces_in",
        [[BASE_NS, trace_id("e"), span_id("e"), "e", "cart", 1, [BASE_NS],
          ["feature_flag.evaluation"],
          [{"feature_flag.key": "new-price", "feature_flag.result.variant": "on"}]]],
        column_names=["Timestamp", "TraceId", "SpanId", "SpanName", "ServiceName", "Duration",
                      "Events.Timestamp", "Events.Name", "Events.Attributes"],
    )  # fmt: skip
    store.client().insert(
        "otel_logs",
        [[BASE_NS, "till", "feature_flag.evaluation", flag]],
        column_names=["Timestamp", "ServiceName", "EventName", "LogAttributes"],
    )
    found = ledger(store)
    items = by_id(found)
    assert set(items) == {"runtime/shop/cpython-3.6", "flag/new-price", "cache/redis s.example.com"}
    told = items["flag/new-price"].item.evidence
    assert (told["evaluations"], told["services"]) == (4, ["cart", "shop", "till"])
    cache = items["cache/redis s.example.com"]
    assert "was written 120 times and never read" in cache.item.what
    assert "no line of a bill bears its name" in cache.missing[0]
    assert [each.loss_usd_per_year for each in found.items] == [None] * 3
    assert (found.loss_usd_per_year, found.unpriced) == (None, 3)
    assert "cart: process.runtime.name is not sent" in found.runtimes_unknown


@pytest.fixture
def vain(store: Connections) -> Connections:
    """Return a store of 100 decisions of ten dollars that ask a cache ten times each in vain.

    A decision takes 180 ms, of which ten lookups take 1 ms each on its critical path.
    """
    spans = []
    for at in range(100):
        spans += decision(f"d{at}", 1_000 * at, 180)
        spans += [
            Stored(f"l{n}", "root", 1_000 * at + 100 + n, 1, "Client", f"d{at}", attributes=CACHE)
            for n in range(10)
        ]
    put_spans(store, spans)
    put_sales(store, [f"d{at}" for at in range(100)], "10")
    AttributionJob(AttributionConfig(), AttributesConfig(), store).drain(BASE_NS + 200 * NS_PER_S)
    return store


def test_cache_that_never_hits_costs_what_its_time_and_its_bill_say(vain: Connections) -> None:
    """10 ms of each decision at what a millisecond is worth, and 24 dollars a day.

    By hand: 1,000 dollars in 100 seconds are the ERV; times beta, -ln(0.995) / 100 ms, it is what a
    millisecond is worth.
    """
    bill = (
        "BilledCost,EffectiveCost,BillingCurrency,ChargePeriodStart,ChargePeriodEnd,ResourceId\n"
        "24,24,USD,2033-05-17T00:00:00Z,2033-05-18T00:00:00Z,arn:aws:elasticache:x:cluster:offers\n"
    )
    assert import_costs(vain.client(), "b.csv", bill.encode(), "aws", BASE_NS).refused == ()
    found = ledger(vain)
    (item,) = found.items
    assert item.item.id == "cache/offers"
    assert (item.item.evidence["lookups"], item.item.evidence["hits"]) == (1000, 0)
    assert item.item.evidence["drag_ms"] == 10.0
    assert item.item.burden.run_usd_per_year is not None
    assert item.item.burden.run_usd_per_year.median == Decimal("8766.00")  # 24 x 365.25
    beta = -math.log(0.995) / 100
    per_ms = beta * 1000 / 100 * YEAR_S
    assert found.worth.told.endswith(
        "only 0.00116 days of decisions, as if they went on so: as you asked"
    )
    assert found.worth.usd_per_ms_year is not None
    assert float(found.worth.usd_per_ms_year.median) == pytest.approx(per_ms, rel=1e-5)
    loss = item.loss_usd_per_year
    assert loss is not None
    assert float(loss.median) == pytest.approx(8766 + 10 * per_ms, rel=1e-5)
    assert loss.low < loss.median < loss.high
    assert (item.bases, found.worth.basis) == (("bill", "prior"), "prior")


def test_bill_of_a_cache_without_a_rate_is_unknown(vain: Connections) -> None:
    """A thousand euros a day were a running cost of nothing, from a bill."""
    bill = (
        "BilledCost,EffectiveCost,BillingCurrency,ChargePeriodStart,ChargePeriodEnd,ResourceId\n"
        "1000,1000,EUR,2033-05-17T00:00:00Z,2033-05-18T00:00:00Z,offers\n"
    )
    assert import_costs(vain.client(), "b.csv", bill.encode(), "aws", BASE_NS).refused == ()
    (item,) = ledger(vain).items
    assert item.item.burden.run_usd_per_year is None
    assert (item.is_partial, item.bases) == (True, ("prior",))
    assert item.missing[0] == "what it costs to run: its bill is in a currency without a rate"


def test_entry_of_the_file_says_what_is_missing(vain: Connections) -> None:
    """What running it costs is stated in place of a bill; mending it then has a worth."""
    told = InvestFile.model_validate(
        {"debt": [{"id": "cache/offers", "run_usd_per_year": 100, "fix_usd": 50}]}
    )
    (item,) = ledger(vain, told).items
    assert (item.is_partial, item.missing) == (False, ())
    assert item.npv_usd is not None
    assert item.bases == ("prior", "stated")


def test_year_of_less_than_a_week_is_not_stated_unasked(vain: Connections) -> None:
    """A hundred seconds say nothing of Sundays; what rests on it is missing, and says so."""
    found = DebtJob(AttributionConfig(), vain).ledger(InvestFile(), MONTH, 14)
    assert (found.worth.erv_usd_per_year, found.worth.usd_per_ms_year) == (None, None)
    assert found.worth.told.startswith("no figure of a year: 0.00116 days of decisions, 7 are")
    (item,) = found.items
    assert (item.loss_usd_per_year, item.is_partial) == (None, False)
