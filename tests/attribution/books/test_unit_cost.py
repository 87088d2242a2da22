from __future__ import annotations

import random
from decimal import Decimal

import pytest

from attribution.books.unit_cost import CostPart, RateMissing, unit_cost
from attribution.core.config import AttributionConfig
from attribution.core.selection import Selection
from attribution.jobs.attribution import AttributionJob
from collector.core.config import AttributesConfig
from collector.core.errors import InputError
from collector.core.times import NS_PER_S
from collector.imports.costs import CostRow, import_costs, parse_costs
from collector.imports.rates import RATES, import_dated
from collector.store.connect import Connections
from tests.support.attribution.stored import BASE_NS, decision, put_spans

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
    spans = [each for index in range(10) for each in decision(f"d{index}", start_ms + index, 50)]
    put_spans(store, spans)
    AttributionJob(AttributionConfig(), AttributesConfig(), store).drain(HOURS.to_ns)
    bill(store)
    bill(store)
    got = unit_cost(AttributionConfig(), store, HOURS)
    # 1.20 euros without a rate are part of the whole, and of nobody's class.
    assert (got.decisions, got.effective, got.billed, got.saved) == (10, None, None, None)
    assert dict(got.by_class) == {
        "network": 0, "compute": Decimal("0.2"), "store": Decimal("0.2"), "other": None,
    }  # fmt: skip
    assert got.per_decision_by_class["compute"] == Decimal("0.02")
    assert (got.per_decision_by_class["other"], got.per_decision, got.is_met) == (None, None, None)
    assert got.unconverted == 1
    assert got.rates_missing == [RateMissing("EUR", 1, "2033-05-18", "2033-05-18")]
    (service,), (region,) = got.by_service, got.by_region
    assert (service.effective, service.per_decision, region.effective) == (None, None, None)

    rate = b"day,currency,rate\n2033-05-18,EUR,2\n"
    import_dated(store.client(), RATES, "r.csv", rate, BASE_NS)
    got = unit_cost(AttributionConfig(cost_per_decision_max=0.05), store, HOURS)
    assert (got.by_class["other"], got.effective, got.unconverted, got.is_met) == (
        Decimal("0.1"), Decimal("0.5"), 0, True,
    )  # fmt: skip
    assert (got.billed, got.saved) == (Decimal("0.5"), Decimal("0.083333334"))
    assert (got.per_decision, got.rates_missing) == (Decimal("0.05"), [])


def test_bill_in_a_currency_without_a_rate_is_not_met(store: Connections) -> None:
    """A thousand euros were 0 dollars a decision, met; with dollars beside them 0.04, missed."""
    start_ms = (HOURS.from_ns - BASE_NS) / 1e6 + 1_000
    put_spans(
        store, [each for index in range(10) for each in decision(f"d{index}", start_ms + index, 50)]
    )
    AttributionJob(AttributionConfig(), AttributesConfig(), store).drain(HOURS.to_ns)
    bill(store, f"{HEAD}1000,1000,,,EUR,{DAY},Compute,a\n")
    got = unit_cost(AttributionConfig(), store, HOURS)
    assert (got.decisions, got.effective, got.per_decision, got.is_met) == (10, None, None, None)
    assert got.by_class["compute"] is None
    assert got.by_class["store"] == 0


def test_cost_that_rounds_to_the_target_is_over_it(store: Connections) -> None:
    """0.0025004 is written as 0.002500."""
    start_ms = (HOURS.from_ns - BASE_NS) / 1e6 + 1_000
    put_spans(
        store, [each for index in range(10) for each in decision(f"d{index}", start_ms + index, 50)]
    )
    AttributionJob(AttributionConfig(), AttributesConfig(), store).drain(HOURS.to_ns)
    # A 24th over ten decisions.
    bill(store, f"{HEAD}0,0.600096,,,USD,{DAY},Compute,a\n")
    got = unit_cost(AttributionConfig(), store, HOURS)
    assert (got.per_decision, got.target, got.is_met) == (
        Decimal("0.0025"), Decimal("0.0025"), False,
    )  # fmt: skip


def test_without_bills_or_decisions_the_cost_is_unknown(store: Connections) -> None:
    """Never nought: nobody decides for free."""
    got = unit_cost(AttributionConfig(), store, HOURS)
    assert (got.effective, got.per_decision, got.is_met) == (None, None, None)
    assert set(got.by_class.values()) == set(got.per_decision_by_class.values()) == {None}
    bill(store)
    assert unit_cost(AttributionConfig(), store, HOURS).per_decision is None


def test_time_without_a_bill_counts_neither_as_cost_nor_as_decisions(store: Connections) -> None:
    """Ten decisions in the billed hour and thirty after it: 0.40 over ten, never over forty."""
    start_ms = (HOURS.from_ns - BASE_NS) / 1e6 + 1_000
    spans = [each for index in range(10) for each in decision(f"d{index}", start_ms + index, 50)]
    late_ms = start_ms + 3_600_000
    spans += [each for index in range(30) for each in decision(f"e{index}", late_ms + index, 50)]
    put_spans(store, spans)
    AttributionJob(AttributionConfig(), AttributesConfig(), store).drain(HOURS.to_ns)
    # A tax of the whole month says nothing about which hours were billed.
    month = "2033-05-01T00:00:00Z,2033-06-01T00:00:00Z"
    head = HEAD.replace("x_other", "ChargeCategory")
    usage = "\n".join(line.removesuffix("a") + "Usage" for line in BILL.splitlines()[1:4])
    bill(store, f"{head}{usage}\n7.44,7.44,,,USD,{month},,Tax\n")
    got = unit_cost(AttributionConfig(), store, HOURS)
    assert (got.decisions, got.decisions_unbilled, got.covered_ratio) == (10, 30, 0.5)
    # 9.60 / 24 and 7.44 / 744 hours.
    assert (got.effective, got.per_decision) == (Decimal("0.41"), Decimal("0.041"))


def test_cost_is_told_by_class_service_and_region(store: Connections) -> None:
    """24 dollars a day of the store's region over four decisions an hour there, six elsewhere."""
    start_ms = (HOURS.from_ns - BASE_NS) / 1e6 + 1_000
    regions = ["eu"] * 4 + ["us"] * 6
    put_spans(
        store,
        [
            each
            for index, region in enumerate(regions)
            for each in decision(f"d{index}", start_ms + index, 50, decision__region=region)
        ],
    )
    AttributionJob(AttributionConfig(), AttributesConfig(), store).drain(HOURS.to_ns)
    head = (
        "BilledCost,EffectiveCost,BillingCurrency,ChargePeriodStart,ChargePeriodEnd,ServiceCategory"
        ",ServiceName,RegionId\n"
    )
    bill(store, f"{head}30,24,USD,{DAY},Databases,Redis,eu\n12,12,USD,{DAY},Compute,VM,eu-west-1\n")
    got = unit_cost(AttributionConfig(), store, HOURS)
    assert got.per_decision == Decimal("0.15")
    assert got.per_decision_by_class == {
        "network": 0, "compute": Decimal("0.05"), "store": Decimal("0.1"), "other": 0,
    }  # fmt: skip
    redis, machine = got.by_service
    assert redis == CostPart("Redis", Decimal(1), Decimal("1.25"), 1, None, Decimal("0.1"))
    assert machine.per_decision == Decimal("0.05")
    eu, other = got.by_region
    assert (eu.name, eu.decisions, eu.per_decision) == ("eu", 4, Decimal("0.25"))
    # No decision calls its region so: it is shown, and shared out to nobody.
    assert (other.name, other.decisions, other.per_decision) == ("eu-west-1", None, None)


# The columns of exports as providers send them.
FOCUS_1_2 = (
    "AvailabilityZone,BilledCost,BillingAccountId,BillingAccountName,BillingAccountType,"
    "BillingCurrency,BillingPeriodEnd,BillingPeriodStart,ChargeCategory,ChargeClass,"
    "ChargeDescription,ChargeFrequency,ChargePeriodEnd,ChargePeriodStart,CommitmentDiscountId,"
    "ConsumedQuantity,ConsumedUnit,ContractedCost,ContractedUnitPrice,EffectiveCost,InvoiceId,"
    "ListCost,ListUnitPrice,PricingCategory,PricingCurrency,PricingQuantity,PricingUnit,"
    "ProviderName,PublisherName,RegionId,RegionName,ResourceId,ResourceName,ResourceType,"
    "ServiceCategory,ServiceName,ServiceSubcategory,SkuId,SubAccountId,Tags,x_Operation"
)
FOCUS_1_4 = (
    "BilledCost,BillingAccountId,BillingCurrency,BillingPeriodEnd,BillingPeriodStart,"
    "ChargeCategory,ChargePeriodEnd,ChargePeriodStart,ContractedCost,EffectiveCost,"
    "InvoiceIssuerName,ListCost,ServiceCategory,ServiceName,ServiceProviderName"
)


@pytest.mark.parametrize("header", [FOCUS_1_2, FOCUS_1_4], ids=["1.2", "1.4"])
@pytest.mark.parametrize("begin", ["2033-05-18T00:00:00Z", "2033-05-18 00:00:00"])
def test_export_of_a_provider_is_read_as_it_is(header: str, begin: str) -> None:
    """Columns by their names, in any order; instants with a T or without one."""
    values = {
        "BilledCost": "1.5", "EffectiveCost": "1.25", "ListCost": "3", "ContractedCost": "2",
        "BillingCurrency": "USD", "ChargePeriodStart": begin, "ChargeCategory": "Usage",
        "ChargePeriodEnd": "2033-05-19T00:00:00Z", "ServiceCategory": "Compute",
        "ServiceName": "VM", "RegionId": "eu-1", "Tags": '"{""team"": ""a,b""}"',
    }  # fmt: skip
    line = ",".join(values.get(column, "") for column in header.split(","))
    (row,) = parse_costs("f.csv", f"{header}\n{line}\n".encode(), "aws", 5)
    assert isinstance(row, CostRow)
    assert (row.billed, row.effective, row.listed, row.contracted) == (
        Decimal("1.5"), Decimal("1.25"), Decimal(3), Decimal(2),
    )  # fmt: skip
    assert (row.service_category, row.service_name, row.charge_category) == (
        "Compute", "VM", "Usage",
    )  # fmt: skip
    assert row.from_ns == 1_999_987_200 * NS_PER_S


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("x,1,,,USD,2033-05-18,2033-05-19,Compute,", "BilledCost 'x': is not a number"),
        (",1,,,USD,2033-05-18,2033-05-19,Compute,", "one is empty; FOCUS needs both"),
        ("1,1,,,usd,2033-05-18,2033-05-19,Compute,", "BillingCurrency 'usd'"),
        ("1,1,,,USD,yesterday,2033-05-19,Compute,", "ChargePeriodStart 'yesterday'"),
        ("1,1,,,USD,2033-05-19,2033-05-18,Compute,", "End is not after ChargePeriodStart"),
        ("1,1e15,,,USD,2033-05-18,2033-05-19,Compute,", "is not below 1000000000000"),
        ("1,-1e999999999,,,USD,2033-05-18,2033-05-19,Compute,", "is not below 1000000000000"),
        ("1,1,,,USD,2033-05-18,9999-12-31,Compute,", "'9999-12-31': is not in 1970 to 2099"),
        ("1,1,,,USD,1969-12-31,2033-05-18,Compute,", "'1969-12-31': is not in 1970 to 2099"),
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


@pytest.mark.parametrize(
    ("columns", "values", "provider", "host"),
    [
        pytest.param("ProviderName,PublisherName", "AWS,Elastic", "AWS", "", id="1.0 to 1.2"),
        pytest.param(
            "ProviderName,ServiceProviderName,HostProviderName",
            "AWS,Elastic,Amazon Web Services", "Elastic", "Amazon Web Services",
            id="1.3, which has both",
        ),
        pytest.param("ProviderName,ServiceProviderName", "AWS, ", "AWS", "", id="1.3, one empty"),
        pytest.param(
            "ServiceProviderName,HostProviderName", "Zürich Cloud,", "Zürich Cloud", "",
            id="1.4, which has dropped one",
        ),
        pytest.param("x_provider", "AWS", "", "", id="none"),
    ],
)  # fmt: skip
def test_provider_is_read_of_every_version(
    columns: str, values: str, provider: str, host: str
) -> None:
    """1.3 deprecates ProviderName for two that say more; 1.4 removes it."""
    text = f"{HEAD.replace('x_other', columns)}1,1,,,USD,{DAY},Compute,{values}\n"
    (row,) = parse_costs("bill.csv", text.encode(), "bill", BASE_NS)
    assert isinstance(row, CostRow), row
    assert (row.provider, row.host) == (provider, host)


def test_providers_sum_to_the_bill(store: Connections) -> None:
    """Whatever part of a line lies in the window, in two currencies: not a billionth is lost."""
    rng = random.Random(20_261_127)
    names = ["Amazon Web Services", "Cloudflare", "", "Zürich Cloud"]
    lines = [
        f"{rng.randrange(10**9) / 10**6},{rng.randrange(10**9) / 10**6},,,"
        f"{rng.choice(['USD', 'EUR'])},{DAY},{rng.choice(['Compute', 'Storage', 'Other'])},"
        f"{rng.choice(names)},{rng.choice(names)}"
        for _ in range(200)
    ]
    head = HEAD.replace("x_other", "ServiceProviderName,HostProviderName")
    bill(store, head + "\n".join(lines))
    rate = b"day,currency,rate\n2033-05-18,EUR,1.0837\n"
    import_dated(store.client(), RATES, "r.csv", rate, BASE_NS)
    # A third of a second is no even share of a day.
    window = Selection(HOURS.from_ns - 1_234_567_891, HOURS.from_ns + 3_333_333_333)
    got = unit_cost(AttributionConfig(), store, window)
    assert got.effective is not None
    assert got.effective > 0
    for parts in (got.by_provider, got.by_host, got.by_service, got.by_region):
        assert sum(each.effective for each in parts if each.effective is not None) == got.effective
        assert sum(each.billed for each in parts if each.billed is not None) == got.billed
        assert sum(each.lines for each in parts) == 200
    assert {each.name for each in got.by_provider} == set(names)
    assert sum(each for each in got.by_class.values() if each is not None) == got.effective
