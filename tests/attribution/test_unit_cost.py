from __future__ import annotations

from decimal import Decimal

import pytest

from attribution.answers import Selection
from attribution.config import AttributionConfig
from attribution.job import AttributionJob
from attribution.unit_cost import unit_cost
from collector.clock import NS_PER_S
from collector.config import AttributesConfig
from collector.errors import InputError
from collector.imports_costs import CostRow, import_costs, parse_costs
from collector.imports_dated import RATES, import_dated
from collector.store.connect import Connections
from tests.attribution.stored import BASE_NS, decision, put_spans

HEAD = (
    "BilledCost,EffectiveCost,ListCost,ContractedCost,BillingCurrency,ChargePeriodStart,"
    "ChargePeriodEnd,ServiceCategory,x_other\n"
)
DAY = "2033-05-18T00:00:00Z,2033-05-19T00:00:00Z"
BILL = HEAD + "\n".join(
    [
        f"0,2.40,5.00,4.00,USD,{DAY},Compute,a",
        f"0,2.40,5.00,4.00,USD,{DAY},Compute,a",
        f"9.60,4.80,,,USD,{DAY},Databases,a",
        f"1.20,1.20,,,EUR,{DAY},Security,a",
    ]
)
# The last hour of that day and the first of the next.
HOURS = Selection(
    (BASE_NS // (86_400 * NS_PER_S) + 1) * 86_400 * NS_PER_S - 3_600 * NS_PER_S,
    (BASE_NS // (86_400 * NS_PER_S) + 1) * 86_400 * NS_PER_S + 3_600 * NS_PER_S,
)


def bill(store: Connections, text: str = BILL) -> None:
    """Import one bill."""
    assert import_costs(store.client(), "bill.csv", text.encode(), "aws", BASE_NS).refused == ()


def test_cost_of_a_decision_is_the_part_of_the_bill_over_its_decisions(store: Connections) -> None:
    """A 24th of 9.60 dollars over ten decisions; equal lines count twice, the same file once."""
    start_ms = (HOURS.from_ns - BASE_NS) / 1e6 + 1_000
    spans = [each for at in range(10) for each in decision(f"d{at}", start_ms + at, 50)]
    put_spans(store, spans)
    AttributionJob(AttributionConfig(), AttributesConfig(), store).drain(HOURS.to_ns)
    bill(store)
    bill(store)
    got = unit_cost(AttributionConfig(), store, HOURS)
    assert (got.decisions, got.effective, got.billed, got.saved) == (
        10, Decimal("0.4"), Decimal("0.4"), Decimal("0.083333"),
    )  # fmt: skip
    assert dict(got.by_class) == {
        "network": 0, "compute": Decimal("0.2"), "store": Decimal("0.2"), "other": 0,
    }  # fmt: skip
    assert (got.per_decision, got.is_met, got.unconverted) == (Decimal("0.04"), False, 1)

    rate = b"day,currency,rate\n2033-05-18,EUR,2\n"
    import_dated(store.client(), RATES, "r.csv", rate, BASE_NS)
    got = unit_cost(AttributionConfig(cost_per_decision_max=0.05), store, HOURS)
    assert (got.by_class["other"], got.effective, got.unconverted, got.is_met) == (
        Decimal("0.1"), Decimal("0.5"), 0, True,
    )  # fmt: skip


def test_without_bills_or_decisions_the_cost_is_unknown(store: Connections) -> None:
    """Never nought: nobody decides for free."""
    got = unit_cost(AttributionConfig(), store, HOURS)
    assert (got.per_decision, got.is_met) == (None, None)
    bill(store)
    assert unit_cost(AttributionConfig(), store, HOURS).per_decision is None


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("x,1,,,USD,2033-05-18,2033-05-19,Compute,", "BilledCost 'x': is not a number"),
        (",1,,,USD,2033-05-18,2033-05-19,Compute,", "one is empty; FOCUS needs both"),
        ("1,1,,,usd,2033-05-18,2033-05-19,Compute,", "BillingCurrency 'usd'"),
        ("1,1,,,USD,yesterday,2033-05-19,Compute,", "ChargePeriodStart 'yesterday'"),
        ("1,1,,,USD,2033-05-19,2033-05-18,Compute,", "End is not after ChargePeriodStart"),
        ("1,1e15,,,USD,2033-05-18,2033-05-19,Compute,", "is not below 1000000000000"),
        ("1,1,,,USD,2033-05-18,2033-05-19,Compute,,", "more values than the header"),
    ],
)
def test_bad_line_is_named_and_the_rest_read(line: str, wrong: str) -> None:
    """With the column, the value and what is wrong."""
    good = "1,1,,,USD,2033-05-18,2033-05-19,Compute,\n"
    bad, row = parse_costs("bill.csv", f"{HEAD}{line}\n{good}".encode(), "aws", 5)
    assert isinstance(bad, str)
    assert bad.startswith("bill.csv:2: ")
    assert wrong in bad
    assert isinstance(row, CostRow)
    assert (row.effective, row.listed, row.service_category) == (Decimal(1), None, "Compute")


def test_file_that_is_no_bill_is_refused() -> None:
    """It names what is missing."""
    with pytest.raises(InputError, match="lacks EffectiveCost, BillingCurrency"):
        list(parse_costs("b.csv", b"BilledCost,ChargePeriodStart\n", "aws", 5))
