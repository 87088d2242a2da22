"""Bills that a provider states anew."""

from __future__ import annotations

from decimal import Decimal

from collector.core.times import NS_PER_DAY, NS_PER_HOUR
from collector.imports.costs import import_costs
from collector.store.connect import Connections
from dashboard.api.imports.costs import Replaced, drop_replaced
from tests.conftest import NOW_NS
from tests.support.dashboard.app import Api

HEAD = "BilledCost,EffectiveCost,BillingCurrency,ChargePeriodStart,ChargePeriodEnd\n"
DAYS = (1_999_987_200, 2_000_160_000)  # 18 May and the end of 19 May 2033, Unix s


def bill(*lines: tuple[str, int]) -> bytes:
    """Return a bill of amounts and days of May 2033."""
    rows = [
        f"{cost},{cost},USD,2033-05-{day}T00:00:00Z,2033-05-{day + 1}T00:00:00Z"
        for cost, day in lines
    ]
    return (HEAD + "\n".join(rows) + "\n").encode()


def billed(store: Connections) -> dict[str, Decimal]:
    """Return the sum of each source."""
    sql = "SELECT source, sum(billed) FROM costs FINAL GROUP BY source ORDER BY source"
    return {str(row[0]): row[1] for row in store.client().query(sql).result_rows}


def put(store: Connections, content: bytes, source: str, at_ns: int) -> None:
    """Import a bill."""
    assert import_costs(store.client(), "b.csv", content, source, at_ns).refused == ()


def test_bill_that_came_anew_takes_the_place_of_what_its_source_said_of_its_time(
    store: Connections,
) -> None:
    """The line that is as it was stays, what is of another source, day or later import too."""
    put(store, bill(("1.00", 18), ("2.00", 18), ("4.00", 19), ("8.00", 20)), "aws", NOW_NS)
    put(store, bill(("16.00", 18)), "gcp", NOW_NS)
    began_ns = NOW_NS + NS_PER_DAY
    put(store, bill(("1.20", 18), ("2.00", 18)), "aws", began_ns)
    put(store, bill(("4.50", 19)), "aws", began_ns + 1)  # the second file of it
    assert billed(store) == {"aws": Decimal("20.7"), "gcp": 16}

    found = drop_replaced(store, "aws", began_ns)

    from_ns, to_ns = (day * 10**9 for day in DAYS)
    assert found == Replaced(2, from_ns, to_ns)  # 1.00 and 4.00
    assert billed(store) == {"aws": Decimal("15.7"), "gcp": 16}
    assert drop_replaced(store, "aws", began_ns) == Replaced(0, from_ns, to_ns)


def test_withdrawn_line_of_the_last_day_that_began_late_is_dropped(store: Connections) -> None:
    """A charge of the afternoon, on a day whose other lines begin at midnight."""
    late = bill(("8.00", 18)).replace(b"2033-05-18T00", b"2033-05-18T12")
    put(store, bill(("1.00", 18)) + late.partition(b"\n")[2], "aws", NOW_NS)
    put(store, bill(("1.00", 18)), "aws", NOW_NS + NS_PER_DAY)

    assert drop_replaced(store, "aws", NOW_NS + NS_PER_DAY).lines == 1

    assert billed(store) == {"aws": 1}


def test_fee_of_the_whole_month_says_nothing_of_later_days(store: Connections) -> None:
    """The days behind the last one of the new bill stay: a day was imported anew with its fee."""
    fee = b"9.00,9.00,USD,2033-05-01T00:00:00Z,2033-06-01T00:00:00Z\n"
    put(store, bill(("1.00", 18), ("2.00", 19)), "aws", NOW_NS)
    put(store, bill(("1.50", 18)) + fee, "aws", NOW_NS + NS_PER_DAY)

    assert drop_replaced(store, "aws", NOW_NS + NS_PER_DAY).lines == 1

    assert billed(store) == {"aws": Decimal("12.5")}  # 1.50, 2.00 and the fee


def test_source_without_a_bill_anew_loses_nothing(store: Connections) -> None:
    """A name that was misspelt, or a time at which nothing came."""
    put(store, bill(("1.00", 18)), "aws", NOW_NS)
    for source, before_ns in (("asw", 0), ("aws", NOW_NS + 1)):
        assert drop_replaced(store, source, before_ns) == Replaced(0, 0, 0)
    assert billed(store) == {"aws": 1}


def test_clock_that_steps_back_between_two_files_of_a_bill_costs_none_of_it(
    store: Connections,
) -> None:
    """The second file would be older than the import that it is of, and dropped."""
    put(store, bill(("1.00", 18)), "aws", NOW_NS - NS_PER_DAY)
    for content, now_ns in (
        (bill(("1.20", 18), ("4.00", 20)), NOW_NS),
        (bill(("2.00", 19)), NOW_NS - NS_PER_HOUR),
    ):
        api = Api(store, now_ns=now_ns)
        told = api.send("POST", "/api/v1/import/costs", content=content, params={"source": "aws"})
        assert told.json() == {"imported": len(content.splitlines()) - 1, "refused": []}
    params = {"source": "aws", "before_ns": NOW_NS}
    told = Api(store).send("POST", "/api/v1/import/costs/replace", params=params)
    assert told.json()["lines"] == 1
    assert billed(store) == {"aws": Decimal("7.2")}
