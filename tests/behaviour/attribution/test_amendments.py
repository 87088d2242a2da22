"""What comes later amends once, and a day summed anew from its raw rows has the same dollars."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal

import pytest

from attribution.core.config import AttributionConfig
from attribution.jobs.attribution import AttributionJob
from collector.core.config import AttributesConfig, OutcomesConfig
from collector.core.times import NS_PER_S
from collector.imports.outcomes import import_outcomes
from collector.imports.rates import RATES, import_dated
from collector.store.connect import Connections
from tests.conftest import ManualClock
from tests.support.attribution.attribution_job import at, computed_afresh, everything, job
from tests.support.attribution.stored import (
    BASE_NS,
    cells,
    decision,
    put_outcome,
    put_spans,
    rows,
    trace_id,
)
from tests.support.examples import examples

DAY = "2033-05-18"
CENT = Decimal("0.01")
FILE = (
    "outcome_id,decision_id,kind,revenue,margin,currency,occurred_at\n"
    f"o1,{trace_id('a')},sale,20,4,USD,{DAY}T03:33:30+00:00\n"
).encode()


def import_file(store: Connections, content: bytes = FILE, at_s: float = 4) -> None:
    """Import outcomes as `millworth import outcomes` does."""
    assert (
        import_outcomes(store.client(), "f.csv", content, "USD", ManualClock(at(at_s))).refused
        == ()
    )


def import_rate(store: Connections, rate: str, at_s: float) -> None:
    """Import what a euro was worth that day."""
    content = f"day,currency,rate\n{DAY},EUR,{rate}\n".encode()
    assert import_dated(store.client(), RATES, "r.csv", content, at(at_s)).refused == ()


def sold(store: Connections, currency: str = "USD") -> None:
    """Store what one decision earned."""
    put_outcome(store, "o1", decision_id=trace_id("a"), margin="4", currency=currency)


def sold_abroad(store: Connections) -> None:
    """Store the same in euros, and what those were worth."""
    sold(store, "EUR")
    import_rate(store, "1.1", 3)


def refund(store: Connections, at_s: float) -> None:
    """Take some of it back, under an id of its own."""
    put_outcome(store, "o1-r", decision_id=trace_id("a"), margin="1.50", kind="refund",
                event_s=15, received_s=at_s)  # fmt: skip


Amend = Callable[[Connections, float], None]
AMENDMENTS: dict[str, tuple[Callable[[Connections], None], Amend, str]] = {
    "refund": (sold, refund, "2.5"),
    "late outcome": (
        lambda _: None,
        lambda store, at_s: put_outcome(
            store, "o1", decision_id=trace_id("a"), margin="4", received_s=at_s
        ),
        "4",
    ),
    "duplicate import": (
        import_file,
        lambda store, at_s: import_file(store, at_s=at_s),
        "4",
    ),
    "import of the same outcome in another file": (
        import_file,
        lambda store, at_s: import_file(store, FILE + b"\n", at_s),
        "4",
    ),
    "currency correction": (
        sold_abroad,
        lambda store, at_s: import_rate(store, "1.25", at_s),
        "5",
    ),
}


@pytest.mark.parametrize("name", AMENDMENTS)
def test_each_kind_of_amendment_counts_once(store: Connections, name: str) -> None:
    """In the value of the class, and never again: a later run writes nothing."""
    before, amend, expected = AMENDMENTS[name]
    put_spans(store, decision("a", 0, 180))
    before(store)
    running = job(store)
    running.run_once(at(10))
    amend(store, 20)
    amended = running.run_once(at(30))
    (cell,) = cells(store)
    assert cell["earned_usd"] == cell["margin_usd"] == Decimal(expected)
    assert cell["margins"] == cell["converted"] == 1
    assert amended.cells_rewritten == (0 if "import" in name else 1)
    again = rows(store, "SELECT * FROM revenue_cells FINAL ORDER BY ALL")
    amend(store, 35)
    for seconds in (40, 50):
        assert running.run_once(at(seconds)).cells_rewritten == 0
    assert rows(store, "SELECT * FROM revenue_cells FINAL ORDER BY ALL") == again
    assert everything(store)["cells"] == computed_afresh(store, 60)["cells"]


@pytest.mark.parametrize(("complete", "before", "after"), [("sales", 4, 4), ("all", 16, 8)])
def test_outcome_that_did_not_convert_is_one_more_that_is_known(
    store: Connections, complete: str, before: int, after: int
) -> None:
    """Four decisions, a sale of four dollars, then a word that another sold nothing.

    Where sales alone are sent it says nothing new; where all are, two are known and not one.
    """
    put_spans(store, [span for name in "abcd" for span in decision(name, 0, 180)])
    sold(store)
    outcomes = OutcomesConfig.model_validate({"complete": complete})
    config = AttributionConfig().reading(outcomes)
    running = AttributionJob(config, AttributesConfig(), store)
    running.run_once(at(10))
    assert [cell["earned_usd"] for cell in cells(store)] == [before]
    put_outcome(store, "o2", decision_id=trace_id("b"), converted=False, received_s=20)
    running.run_once(at(30))
    assert [cell["earned_usd"] for cell in cells(store)] == [after]


def earned(store: Connections) -> list[Decimal]:
    """Return the margin of each cell, by second."""
    return [cell["margin_usd"] for cell in cells(store)]


def merged(store: Connections) -> None:
    """Let the engine drop what was replaced: the last revision is all that is left."""
    for table in ("outcomes", "outcome_matches"):
        store.client().command(
            "OPTIMIZE TABLE {table:Identifier} FINAL", parameters={"table": table}
        )


@pytest.mark.parametrize("to", ["b", "nobody"])
def test_outcome_that_names_another_decision_leaves_the_one_it_was_of(
    store: Connections, to: str
) -> None:
    """What it said before is merged away by then; and it may come back."""
    put_spans(store, decision("a", 0, 50) + decision("b", 10_000, 50))
    running = job(store)
    for step, (name, expected) in enumerate([("a", [50, 0]), (to, [0, 50]), ("a", [50, 0])]):
        second = 20 + 20 * step
        put_outcome(store, "o1", decision_id=trace_id(name), margin="50",
                    event_s=second, received_s=second)  # fmt: skip
        running.run_once(at(second + 10))
        merged(store)
        assert earned(store) == ([0, 0] if name == "nobody" else expected)
    assert everything(store)["cells"] == computed_afresh(store, 100)["cells"]


@pytest.mark.parametrize(
    ("key", "own_id", "late"),
    [
        pytest.param("s", "", "b", id="the last of a key"),
        pytest.param("", "D", "a", id="the first of an id"),
    ],
)
def test_decision_that_comes_late_takes_its_outcome_from_another(
    store: Connections, key: str, own_id: str, late: str
) -> None:
    """It is counted once: cells kept current and cells computed anew agree to the cent."""
    begins_ms = {"a": 0, "b": 10_000}
    other = "a" if late == "b" else "b"

    def put(name: str, received_s: float) -> None:
        own = own_id or trace_id(name)
        begin_ms = begins_ms[name]
        put_spans(
            store, decision(name, begin_ms, 50, received_s, outcome__key=key, decision__id=own)
        )

    put(other, 1)
    put_outcome(store, "o1", decision_id=own_id, key=key, margin="50", event_s=20, received_s=20)
    running = job(store)
    running.run_once(at(60))
    put(late, 100)
    running.run_once(at(200))
    assert earned(store) == ([0, 50] if late == "b" else [50, 0])
    before = everything(store)["cells"]
    running.recompute(BASE_NS, BASE_NS + 60 * NS_PER_S, at(300))
    assert everything(store)["cells"] == before
    assert before == computed_afresh(store, 400)["cells"]


@pytest.mark.parametrize("by", ["key", "id"])
@pytest.mark.parametrize("is_sold_last", [False, True])
def test_refund_by_key_takes_back_what_its_session_sold(
    store: Connections, by: str, is_sold_last: bool
) -> None:
    """The last decision of the session sold nothing; whichever comes first, nothing is lost."""
    put_spans(
        store, decision("a", 0, 50, outcome__key="s") + decision("b", 10_000, 50, outcome__key="s")
    )
    running = job(store)
    for step in range(2):
        if (step == 1) == is_sold_last:
            put_outcome(store, "o1", key="s" if by == "key" else "", margin="12.40", event_s=5,
                        decision_id=trace_id("a") if by == "id" else "",
                        received_s=20 + 20 * step)  # fmt: skip
        else:
            put_outcome(store, "o1-r", key="s", kind="refund", margin="12.40", event_s=20,
                        received_s=20 + 20 * step)  # fmt: skip
        running.run_once(at(30 + 20 * step))
    assert [(cell["converted"], cell["margin_usd"]) for cell in cells(store)] == [(1, 0), (0, 0)]
    assert everything(store)["cells"] == computed_afresh(store, 100)["cells"]


class Day:
    """Outcomes of a day as they come, and what each decision earned by the plainest sum."""

    def __init__(self, store: Connections, seed: int, count: int) -> None:
        self.store, self.dice, self.count = store, random.Random(seed), count
        self.told: dict[str, tuple[str, str, Decimal, str]] = {}  # by outcome id: the last one
        self.rate = Decimal("1.1")

    def put(self, number: int, outcome: str, kind: str, at_s: float) -> None:
        """Tell or amend one outcome."""
        margin = Decimal(self.dice.randrange(1, 99_999)).scaleb(-2)
        currency = self.dice.choice(("USD", "USD", "EUR"))
        put_outcome(self.store, outcome, decision_id=trace_id(f"d{number}"), kind=kind,
                    margin=str(margin), currency=currency,
                    event_s=at_s, received_s=at_s)  # fmt: skip
        self.told[outcome] = (trace_id(f"d{number}"), kind, margin, currency)

    def hours(self, at_s: float) -> None:
        """Let some hours of customers buy, return, correct, and be told twice."""
        for number in self.dice.sample(range(self.count), self.count // 3):
            name = f"o{number}"
            if name not in self.told or self.dice.random() < 0.3:
                self.put(number, name, "sale", at_s)
            elif f"{name}-r" not in self.told:
                self.put(number, f"{name}-r", "refund", at_s)
        self.rate += Decimal("0.013")
        import_rate(self.store, str(self.rate), at_s)

    def earned(self) -> Decimal:
        """Return the day's margin: every outcome once, at the last rate, refunds taken off."""
        total = Decimal(0)
        for _, kind, margin, currency in self.told.values():
            usd = margin * self.rate if currency == "EUR" else margin
            total += -usd if kind == "refund" else usd
        return total


@pytest.mark.drawn
@pytest.mark.parametrize("seed", range(1, 1 + examples(1)))
def test_day_summed_anew_from_its_raw_rows_has_the_same_dollars(
    store: Connections, seed: int
) -> None:
    """Eight runs over sales, refunds, corrections, repeats and eight rates, to the millionth."""
    day = Day(store, seed, count=30)
    spans = [
        each
        for number in range(day.count)
        for each in decision(f"d{number}", number * 1_000, 60 + 7 * number, 1 + number,
                             decision__region=("eu", "us")[number % 2])
    ]  # fmt: skip
    put_spans(store, spans)
    running = job(store)
    for step in range(8):
        at_s = 100 + 60 * step
        day.hours(at_s)
        running.run_once(at(at_s + 30))
    told = everything(store)
    # From raw rows by the same code over an empty store, from trees, and by the plainest sum.
    assert told["cells"] == computed_afresh(store, 1_000)["cells"]
    before = rows(store, "SELECT * FROM revenue_cells FINAL ORDER BY ALL")
    running.recompute(BASE_NS, BASE_NS + 60 * NS_PER_S, at(1_100))
    assert rows(store, "SELECT * FROM revenue_cells FINAL ORDER BY ALL") == before
    (total,) = rows(store, "SELECT sum(margin_usd) AS usd FROM revenue_cells FINAL")
    assert abs(total["usd"] - day.earned()) < CENT
    assert total["usd"] > 0
