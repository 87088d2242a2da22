"""An order by key is of the decision that led to it, however short its time is written."""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import pytest

from attribution.core.config import AttributionConfig
from attribution.read.reader import Reader
from collector.core.config import AttributesConfig
from collector.core.times import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE, NS_PER_MS, NS_PER_S
from collector.store.connect import Connections
from tests.support.attribution.attribution_job import at, computed_afresh, everything, job
from tests.support.attribution.long_way.outcomes import reconciled_by_row
from tests.support.attribution.stored import (
    BASE_NS,
    decision,
    outcome,
    put_outcomes,
    put_spans,
    rows,
    trace_id,
)
from tests.support.examples import examples

_MIDDAY_S: Final = (NS_PER_DAY // 2 - BASE_NS % NS_PER_DAY) / NS_PER_S
_DAY_NS: Final = BASE_NS - BASE_NS % NS_PER_DAY


def _order(
    number: int, key: str, happened_s: float, unit_ns: int, received_s: float
) -> list[object]:
    """Return an order of 10, 20, ... USD whose time is written down to a unit."""
    happened_ns = round(happened_s * NS_PER_S) + BASE_NS
    written_s = (happened_ns // unit_ns * unit_ns - BASE_NS) / NS_PER_S
    usd = str(10 * (number + 1))
    return outcome(
        f"o{number}", key=key, revenue=usd, margin=usd, event_s=written_s, received_s=received_s
    )


def _counted(store: Connections) -> dict[str, str]:
    """Return to which decision each outcome is counted."""
    kept = rows(
        store, "SELECT outcome_id, decision_id FROM outcome_matches FINAL WHERE is_gone = 0"
    )
    return {each["outcome_id"]: each["decision_id"] for each in kept}


def _assert_the_books_agree(store: Connections, matched: int, unmatched: int = 0) -> None:
    window = _DAY_NS - NS_PER_DAY, _DAY_NS + 3 * NS_PER_DAY
    days = Reader(store, AttributesConfig()).reconciled(*window, AttributionConfig())
    assert days == reconciled_by_row(store, *window)
    assert sum(each["matched_outcomes"] for each in days) == matched
    assert sum(each["unmatched_outcomes"] for each in days) == unmatched


@pytest.mark.parametrize("is_before", [True, False], ids=["orders first", "decisions first"])
@pytest.mark.parametrize(
    "unit_ns", [NS_PER_DAY, NS_PER_MINUTE, NS_PER_S, NS_PER_MS], ids=["day", "minute", "s", "ms"]
)
def test_orders_are_of_their_decisions_in_any_order_of_arrival(
    store: Connections, unit_ns: int, is_before: bool
) -> None:
    """Each is taken .3 s after its decision began, and both come within a minute of it."""
    begins = [_MIDDAY_S + 7.3 * each for each in range(4)]
    received_s = _MIDDAY_S + 40
    spans = [
        span
        for each, begin_s in enumerate(begins)
        for span in decision(f"d{each}", begin_s * 1000, 50, received_s, outcome__key=f"k{each}")
    ]
    orders = [
        _order(each, f"k{each}", begin_s + 0.3, unit_ns, received_s)
        for each, begin_s in enumerate(begins)
    ]
    running = job(store)
    if is_before:
        put_outcomes(store, orders)
        running.run_once(at(received_s + 10))
        put_spans(store, spans)
    else:
        put_spans(store, spans)
        running.run_once(at(received_s + 10))
        put_outcomes(store, orders)
    for second in (20, 30):
        running.run_once(at(received_s + second))
    assert _counted(store) == {f"o{each}": trace_id(f"d{each}") for each in range(4)}
    (earned,) = rows(
        store, "SELECT sum(margin_usd) AS usd, sum(converted) AS sold FROM revenue_cells FINAL"
    )
    assert (earned["usd"], earned["sold"]) == (Decimal(100), 4)
    _assert_the_books_agree(store, matched=4)


def test_an_order_that_names_a_day_is_of_no_decision_that_began_after_it_came(
    store: Connections,
) -> None:
    """The customer of a key came at noon, and once more in the evening; the order came at noon."""
    running = job(store)
    put_spans(store, decision("noon", _MIDDAY_S * 1000, 50, _MIDDAY_S + 1, outcome__key="c"))
    put_outcomes(store, [_order(0, "c", _MIDDAY_S + 0.3, NS_PER_DAY, _MIDDAY_S + 2)])
    running.run_once(at(_MIDDAY_S + 10))
    evening_s = _MIDDAY_S + 6 * NS_PER_HOUR / NS_PER_S
    put_spans(store, decision("evening", evening_s * 1000, 50, evening_s + 1, outcome__key="c"))
    for second in (10, 20):
        running.run_once(at(evening_s + second))
    assert _counted(store) == {"o0": trace_id("noon")}
    _assert_the_books_agree(store, matched=1)
    found = everything(store)
    assert computed_afresh(store, evening_s + 30)["cells"] == found["cells"]


def test_a_clock_that_is_behind_by_more_than_the_unit_is_of_no_decision(store: Connections) -> None:
    """What is written is a second before the decision began."""
    put_spans(store, decision("d", 1_900, 50, outcome__key="k"))
    put_outcomes(store, [outcome("o", key="k", margin="5", revenue="5", event_s=0.5, received_s=3)])
    job(store).run_once(at(20))
    assert _counted(store) == {}
    _assert_the_books_agree(store, matched=0, unmatched=1)


@pytest.mark.drawn
@pytest.mark.parametrize("seed", range(examples(4)))
def test_cells_and_books_say_the_same_of_times_of_every_length(
    store: Connections, seed: int
) -> None:
    """Sales and refunds, by keys that several decisions share, that come early, late and again."""
    draw = random.Random(seed)
    units: Sequence[int] = (NS_PER_DAY, NS_PER_MINUTE, NS_PER_S, NS_PER_MS, 1)
    running = job(store)
    for turn in range(3):
        ends_s = _MIDDAY_S + 100 * (turn + 1)
        put_spans(store, [
            span
            for each in range(4)
            for span in decision(
                f"d{turn}{each}", draw.uniform(_MIDDAY_S, ends_s) * 1000, 50, ends_s,
                outcome__key=draw.choice(("k1", "k2", "k3")),
            )
        ])  # fmt: skip
        said = []
        for number in range(draw.randrange(1, 8)):
            order = _order(
                10 * turn + number, draw.choice(("k1", "k2", "k3", "k4")),
                draw.uniform(_MIDDAY_S - 50, ends_s), draw.choice(units), ends_s,
            )  # fmt: skip
            order[1] = draw.choice(("sale", "sale", "refund"))
            said.append(order)
        put_outcomes(store, said)
        for second in (10, 20):
            running.run_once(at(ends_s + second))
    window = _DAY_NS - NS_PER_DAY, _DAY_NS + 3 * NS_PER_DAY
    days = Reader(store, AttributesConfig()).reconciled(*window, AttributionConfig())
    assert days == reconciled_by_row(store, *window), f"seed {seed}"
    counted = sum(each["matched_outcomes"] + each["ambiguous_outcomes"] for each in days)
    assert len(_counted(store)) == counted, f"seed {seed}"
    found = everything(store)
    assert computed_afresh(store, _MIDDAY_S + 400)["cells"] == found["cells"], f"seed {seed}"
