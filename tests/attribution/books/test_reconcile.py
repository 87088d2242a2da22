from __future__ import annotations

import random
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.books.reconcile import ReconciledDay, reconcile
from attribution.core.config import AttributionConfig
from attribution.jobs.attribution import AttributionJob
from collector.core.config import AttributesConfig
from collector.core.errors import InputError
from collector.core.times import NS_PER_DAY, NS_PER_S
from collector.imports.rates import LEDGER, RATES, DatedFile, import_dated, parse_dated
from collector.store.connect import Connections
from tests.support.attribution.stored import (
    BASE_NS,
    decision,
    outcome,
    put_outcome,
    put_outcomes,
    put_spans,
    rows,
    trace_id,
)
from tests.support.examples import examples

DAY = BASE_NS // NS_PER_DAY * NS_PER_DAY
CONFIG = AttributionConfig()


def job(store: Connections) -> AttributionJob:
    """Return the job under default settings."""
    return AttributionJob(CONFIG, AttributesConfig(), store)


def rates(store: Connections, text: str, at_s: float) -> None:
    """Import rates at an instant."""
    content = f"day,currency,rate\n{text}\n".encode()
    report = import_dated(
        store.client(), RATES, "rates.csv", content, BASE_NS + round(at_s * NS_PER_S)
    )
    assert report.refused == ()


def values(store: Connections) -> list[tuple[Decimal, str]]:
    """Return what every cell earned and its basis, by second."""
    asked = "SELECT earned_usd, basis FROM revenue_cells FINAL ORDER BY second_ns"
    return [(row["earned_usd"], row["basis"]) for row in rows(store, asked)]


def test_amount_in_another_currency_is_converted_by_the_rate_of_its_day(store: Connections) -> None:
    """Unknown until there is a rate; a corrected rate amends the dollars once."""
    put_spans(store, decision("a", 0, 100))
    put_outcome(store, "o1", decision_id=trace_id("a"), margin="10", currency="EUR")
    running = job(store)
    running.drain(BASE_NS + 10 * NS_PER_S)
    assert values(store) == [(Decimal(0), "unknown")]

    rates(store, "2033-05-17,EUR,1.25", 20)
    running.drain(BASE_NS + 30 * NS_PER_S)
    assert values(store) == [(Decimal("12.5"), "margin")]
    # The rate of the day itself beats that of the day before; then it is corrected.
    rates(store, "2033-05-18,EUR,1.1", 40)
    running.drain(BASE_NS + 50 * NS_PER_S)
    assert values(store) == [(Decimal("11"), "margin")]
    rates(store, "2033-05-18,EUR,1.333333333", 60)
    running.drain(BASE_NS + 70 * NS_PER_S)
    assert values(store) == [(Decimal("13.333333"), "margin")]
    # With its revision; what earlier ones the engine has not merged away yet is its own affair.
    current = "SELECT * FROM revenue_cells FINAL ORDER BY ALL"
    before = rows(store, current)
    # The same file again amends nothing.
    running.drain(BASE_NS + 80 * NS_PER_S)
    assert rows(store, current) == before


def test_rate_that_is_too_old_is_none(store: Connections) -> None:
    """Eight days ago it was worth something else."""
    put_spans(store, decision("a", 0, 100))
    put_outcome(store, "o1", decision_id=trace_id("a"), margin="10", currency="EUR")
    rates(store, "2033-05-10,EUR,1.25", 5)
    job(store).drain(BASE_NS + 10 * NS_PER_S)
    assert values(store) == [(Decimal(0), "unknown")]
    rates(store, "2033-05-11,EUR,1.5", 20)
    job(store).drain(BASE_NS + 30 * NS_PER_S)
    assert values(store) == [(Decimal(15), "margin")]


def test_amount_that_its_rate_makes_too_large_is_unknown(store: Connections) -> None:
    """In the cells as in the books, and what comes after it is still attributed."""
    put_spans(store, decision("a", 0, 100) + decision("b", 2_000, 100))
    put_outcome(
        store, "o1", decision_id=trace_id("a"), margin="1", revenue="-999999999999", currency="EUR"
    )
    rates(store, "2033-05-18,EUR,99999999", 5)
    running = job(store)
    running.drain(BASE_NS + 10 * NS_PER_S)
    put_outcome(store, "o2", decision_id=trace_id("b"), margin="1", received_s=11)
    running.drain(BASE_NS + 20 * NS_PER_S)
    asked = "SELECT margin_usd, revenues, converted FROM revenue_cells FINAL ORDER BY second_ns"
    assert [tuple(row.values()) for row in rows(store, asked)] == [
        (Decimal(99_999_999), 0, 1),
        (Decimal(1), 0, 1),
    ]
    (day,) = reconcile(CONFIG, store, DAY, DAY + 1)
    assert (day.matched, day.unknown_outcomes) == (Decimal(0), 2)


def test_day_is_reconciled_with_the_ledger(store: Connections) -> None:
    """Each kind of outcome in its own column; what is missing is shown, and never spread."""
    put_spans(
        store,
        decision("a", 0, 100)
        + decision("k1", 500, 100, outcome__key="order-7")
        + decision("k2", 900, 100, outcome__key="order-7"),
    )
    put_outcome(store, "sale", decision_id=trace_id("a"), revenue="100")
    put_outcome(store, "back", decision_id=trace_id("a"), kind="refund", revenue="30")
    put_outcome(store, "lost", decision_id="nobody", revenue="7")
    put_outcome(store, "twice", key="order-7", revenue="20")
    put_outcome(store, "euro", decision_id=trace_id("a"), revenue="10", currency="EUR")
    put_outcome(store, "none", decision_id=trace_id("a"), converted=False)
    ledger = b"day,currency,amount\n2033-05-18,USD,100.50\n2033-05-17,USD,5\n"
    import_dated(store.client(), LEDGER, "ledger.csv", ledger, BASE_NS, "shop")
    got = reconcile(CONFIG, store, DAY - NS_PER_DAY, DAY + 1)
    assert got == [
        ReconciledDay(
            DAY - NS_PER_DAY,
            *(Decimal(0), Decimal(0), Decimal(0), 0, 0, 0, 0),
            *(Decimal(5), 0, Decimal(5), {}, {}, Decimal(0)),
        ),
        ReconciledDay(
            DAY, Decimal(70), Decimal(7), Decimal(20), 4, 1, 1, 1, Decimal("100.5"),
            0, Decimal("3.5"), {}, {}, Decimal(70),
        ),
    ]  # fmt: skip

    # The euros, and another ledger that is added up.
    rates(store, "2033-05-18,EUR,1.1", 20)
    more = b"day,currency,amount\n2033-05-18,USD,7.50\n"
    import_dated(store.client(), LEDGER, "more.csv", more, BASE_NS, "kiosk")
    day = reconcile(CONFIG, store, DAY, DAY + 1)[0]
    assert (day.matched, day.unknown_outcomes, day.ledger, day.difference) == (
        Decimal(81), 0, Decimal(108), Decimal(0),
    )  # fmt: skip


def test_day_without_a_ledger_agrees_with_nothing_to_hold_it_against(store: Connections) -> None:
    """Unknown is not a difference."""
    put_outcome(store, "lost", decision_id="nobody", revenue="7")
    (day,) = reconcile(CONFIG, store, DAY, DAY + NS_PER_DAY)
    assert (day.unmatched, day.ledger, day.difference) == (Decimal(7), None, None)


def test_ledger_without_a_rate_does_not_agree(store: Connections) -> None:
    """It is there and cannot be held against the outcomes, which a check has to say."""
    ledger = b"day,currency,amount\n2033-05-18,EUR,100\n2033-05-18,USD,1\n"
    import_dated(store.client(), LEDGER, "ledger.csv", ledger, BASE_NS, "shop")
    (day,) = reconcile(CONFIG, store, DAY, DAY + NS_PER_DAY)
    assert (day.ledger, day.unconverted, day.difference) == (None, 1, None)
    rates(store, "2033-05-18,EUR,1.1", 20)
    (day,) = reconcile(CONFIG, store, DAY, DAY + NS_PER_DAY)
    assert (day.ledger, day.unconverted, day.difference) == (Decimal(111), 0, Decimal(111))


def test_second_row_of_a_day_is_refused_by_its_line(store: Connections) -> None:
    """The store would keep one of them, and nobody was told which."""
    ledger = (
        b"day,currency,amount\n2033-05-18,USD,100\n2033-05-18,EUR,7\n2033-05-18,USD,50\n"
        b"2033-05-19,USD,1\n"
    )
    report = import_dated(store.client(), LEDGER, "l.csv", ledger, BASE_NS, "shop")
    assert report.imported == 3
    assert report.refused == (
        "l.csv:4: day '2033-05-18': l.csv:2 has it in USD; leave one, or add them up",
    )
    kept = rows(store, "SELECT amount FROM ledger_days FINAL ORDER BY day_ns, currency")
    assert [row["amount"] for row in kept] == [Decimal(7), Decimal(100), Decimal(1)]


@pytest.mark.parametrize("kind", [RATES, LEDGER], ids=["rates", "ledger"])
@given(
    day=st.dates(min_value=date(1, 1, 1)),
    number=st.decimals() | st.sampled_from([Decimal("1e999999999"), Decimal("-1e999999999")]),
)
def test_any_line_is_a_row_that_the_store_holds_or_a_sentence(
    kind: DatedFile, day: date, number: Decimal
) -> None:
    """One that the insert fails on would cost the whole file."""
    content = f"{','.join(kind.columns)}\n{day},EUR,{number}\n".encode()
    (found,) = parse_dated(kind, "f.csv", content)
    if not isinstance(found, str):
        assert 0 <= found[0] < 2**32 * NS_PER_S
        assert abs(found[2]) < 10**12


@pytest.mark.parametrize("name", ["a", "nobody"])
def test_refund_that_replaced_its_sale_is_nothing_here_and_in_the_cells(
    store: Connections, name: str
) -> None:
    """Under the sale's own id it is the sale's last word: sold and taken back is nothing."""
    put_spans(store, decision("a", 0, 50))
    for kind, second in (("sale", 5), ("refund", 20)):
        put_outcome(store, "s1", decision_id=trace_id(name), kind=kind, revenue="49.90",
                    event_s=second, received_s=second)  # fmt: skip
    job(store).drain(BASE_NS + 100 * NS_PER_S)
    assert rows(store, "SELECT sum(revenue_usd) AS usd FROM revenue_cells FINAL") == [{"usd": 0}]
    (day,) = reconcile(CONFIG, store, DAY, DAY + NS_PER_DAY)
    assert (day.matched, day.unmatched, day.unknown_outcomes) == (Decimal(0), Decimal(0), 0)


@pytest.mark.parametrize("by", ["id", "key"])
@pytest.mark.parametrize("back_by", ["id", "key"])
def test_refund_under_an_id_of_its_own_takes_off_what_was_sold(
    store: Connections, by: str, back_by: str
) -> None:
    """However each of the two names the decision, and though the sale was the day before."""
    put_spans(store, decision("a", 0, 50, outcome__key="s"))
    names = {"id": (trace_id("a"), ""), "key": ("", "s")}
    a_day_s = NS_PER_DAY // NS_PER_S
    put_outcome(store, "s1", decision_id=names[by][0], key=names[by][1], revenue="49.90")
    put_outcome(store, "s1-r", decision_id=names[back_by][0], key=names[back_by][1], kind="refund",
                revenue="9.90", event_s=a_day_s)  # fmt: skip
    job(store).drain(BASE_NS + 100 * NS_PER_S)
    earned = "SELECT sum(revenue_usd) AS usd FROM revenue_cells FINAL"
    assert rows(store, earned) == [{"usd": Decimal(40)}]
    (day,) = reconcile(CONFIG, store, DAY + NS_PER_DAY, DAY + 2 * NS_PER_DAY)
    assert day.matched == Decimal("-9.90")


@pytest.mark.parametrize("seller", ["first", "last"])
def test_refund_of_a_decision_that_sold_nothing_is_nothing(store: Connections, seller: str) -> None:
    """A sale by key is that of the last decision which has it; the refund names the first by id.

    It was $30 off the books, and nothing off what any decision earned.
    """
    first = decision("a", 0, 50, outcome__key="k")
    put_spans(store, first + decision("b", 60_000, 50, outcome__key="k"))
    second = 30.0 if seller == "first" else 90.0
    put_outcome(store, "s", key="k", revenue="100", event_s=second)
    put_outcome(store, "r", decision_id=trace_id("a"), kind="refund", revenue="30", event_s=100)
    job(store).drain(BASE_NS + 200 * NS_PER_S)
    (day,) = reconcile(CONFIG, store, DAY, DAY + NS_PER_DAY)
    taken = -30 if seller == "first" else 0
    assert day.matched + day.ambiguous == 100 + taken
    earned = rows(store, "SELECT sum(revenue_usd) AS usd FROM revenue_cells FINAL")
    assert earned == [{"usd": Decimal(100 + taken)}]


@pytest.mark.drawn
@pytest.mark.parametrize("seed", range(examples(4)))
def test_refunds_count_here_where_they_count_in_the_cells(store: Connections, seed: int) -> None:
    """By id or by key, before or after their sale, in the midst of decisions that share a key."""
    draw = random.Random(seed)
    keys, names = ["", "k1", "k2", "k3"], [f"d{index}" for index in range(12)]
    put_spans(store, [
        span
        for index, name in enumerate(names)
        for span in decision(name, 10_000 * index, 50, outcome__key=draw.choice(keys))
    ])  # fmt: skip
    told = []
    for index in range(16):
        is_by_id = draw.random() < 0.5
        told.append(outcome(
            f"o{index}",
            decision_id=trace_id(draw.choice(names)) if is_by_id else "",
            key="" if is_by_id else draw.choice(keys[1:]),
            kind=draw.choice(["sale", "refund", "refund"]),
            revenue=f"{2**index}",
            event_s=draw.choice([draw.randrange(120), 90_000]),
        ))  # fmt: skip
    put_outcomes(store, told)
    job(store).drain(BASE_NS + 2 * NS_PER_DAY)
    days = reconcile(CONFIG, store, DAY, DAY + 3 * NS_PER_DAY)
    earned = rows(store, "SELECT sum(revenue_usd) AS usd FROM revenue_cells FINAL")[0]["usd"]
    assert sum(each.matched + each.ambiguous for each in days) == earned


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("31.5.2033,EUR,1.1", "f.csv:2: day '31.5.2033': is not a date"),
        ("2033-05-31,euro,1.1", "f.csv:2: currency 'euro': is not an ISO 4217"),
        ("2033-05-31,EUR,dear", "f.csv:2: rate 'dear': is not a number"),
        ("2033-05-31,EUR,1_1", "f.csv:2: rate '1_1': is not a number"),
        ("2033-05-31,EUR,0", "f.csv:2: rate '0': is not above 0"),
        ("2033-05-31,EUR,NaN", "f.csv:2: rate 'NaN': is not a number"),
        ("2033-05-31,EUR,1.0000000001", "more than 9 decimal places"),
        ("2033-05-31,EUR,1,1", "f.csv:2: more values than the header"),
        ("1969-12-31,EUR,1", "f.csv:2: day '1969-12-31': is not in 1970 to 2099; correct the year"),
        ("9999-12-31,EUR,1", "f.csv:2: day '9999-12-31': is not in 1970 to 2099"),
        ("2033-05-31,EUR,1e999999999", "f.csv:2: rate '1e999999999': is not above 0 and below"),
    ],
)
def test_bad_line_is_named_and_the_rest_read(line: str, wrong: str) -> None:
    """With the value and the remedy."""
    content = f"day,currency,rate\n{line}\n2033-05-31,GBP,1.3\n".encode()
    bad, good = parse_dated(RATES, "f.csv", content)
    assert wrong in str(bad)
    assert good == (2_001_110_400 * NS_PER_S, "GBP", Decimal("1.3"))


@pytest.mark.parametrize(
    ("content", "wrong"),
    [(b"day,rate\n", "has the columns day, currency, rate"), (b"\xff", "not UTF-8 at byte 0")],
)
def test_file_of_another_shape_is_refused(content: bytes, wrong: str) -> None:
    """Nothing of it is imported."""
    with pytest.raises(InputError, match=wrong):
        list(parse_dated(RATES, "f.csv", content))
