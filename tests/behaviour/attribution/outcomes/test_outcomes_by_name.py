"""What was earned is looked up by the names of decisions, and not sought in all outcomes."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Final

import numpy as np
import pytest

from attribution.core.config import AttributionConfig
from attribution.read.reader import Reader
from collector.core.config import AttributesConfig
from collector.core.times import NS_PER_DAY, NS_PER_S
from collector.store.connect import Connections
from tests.conftest import NOW_NS
from tests.support.attribution.attribution_job import at, job
from tests.support.attribution.long_way.outcomes import cell_outcomes_by_row, reconciled_by_row
from tests.support.attribution.rows_read import rows_read
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

DAY: Final = BASE_NS - BASE_NS % NS_PER_DAY
DAYS: Final = 12
A_DAY: Final = 20_000
_OUTCOMES: Final = (
    "INSERT INTO outcomes (outcome_id, kind, decision_id, converted, event_ns, received_ns)"
    " SELECT lower(hex(sipHash128(n))), 'sale', lower(hex(sipHash128('d', n))), 1, at_ns, at_ns"
    " FROM (SELECT number + {first:UInt64} AS n, {day_ns:UInt64} - number AS at_ns"
    " FROM numbers({rows:UInt64}))"
)


@pytest.mark.drawn
@pytest.mark.parametrize("seed", range(examples(3)))
def test_lookups_by_name_find_what_all_outcomes_say(store: Connections, seed: int) -> None:
    """Late, amended, sent twice, taken back, by id or by key, in a currency without a rate."""
    draw = random.Random(seed)
    names = [f"d{at}" for at in range(12)]
    keys = ["", "k1", "k2", "k3"]
    put_spans(store, [
        span
        for at, name in enumerate(names)
        for span in decision(name, 1_000 * at, 50, outcome__key=draw.choice(keys))
    ])  # fmt: skip
    found = 0
    for _ in range(3):
        said = []
        for _ in range(draw.randrange(1, 20)):
            event_s = draw.choice((2, 20, 86_400, 3 * 86_400)) + draw.randrange(5)
            said.append(outcome(
                f"o{draw.randrange(12)}",
                decision_id=draw.choice(("", trace_id(draw.choice(names)), "nobody")),
                key=draw.choice(keys),
                kind=draw.choice(("sale", "sale", "refund", "correction")),
                revenue=draw.choice((None, "5", "7.5")),
                currency=draw.choice(("USD", "EUR")),
                event_s=event_s,
                # An amendment may come before what it amends, and a clock may be hours behind.
                received_s=event_s + draw.choice((0, 60, 90_000, -7_200)),
            ))  # fmt: skip
        put_outcomes(store, said + draw.sample(said, draw.randrange(len(said))))
        seconds = draw.sample(range(12), draw.randrange(1, 12))
        seconds_ns = sorted(BASE_NS + each * NS_PER_S for each in seconds)
        wanted = cell_outcomes_by_row(store, seconds_ns)
        reader = Reader(store, AttributesConfig())
        for received_ns in (None, np.zeros(5_000, np.int64)):
            asked = reader.cell_outcomes(seconds_ns, "USD", 7, received_ns)
            assert asked.equals(wanted), f"seed {seed}"
        found += len(wanted)
        window = draw.choice((DAY, DAY + 3 * NS_PER_DAY)), DAY + 5 * NS_PER_DAY
        days = reconciled_by_row(store, *window)
        assert reader.reconciled(*window, AttributionConfig()) == days, f"seed {seed}"
        found += len(days)
    assert found > 0


@pytest.mark.parametrize("ahead_h", [0, 2, 23])
def test_outcome_counts_wherever_the_clock_of_its_decision_stands(
    store: Connections, ahead_h: int
) -> None:
    """It is told by another machine, hours before its decision began by a clock that is ahead."""
    put_spans(store, decision("a", ahead_h * 3_600_000, 50, received_s=1))
    running = job(store)
    running.run_once(at(8))
    told = outcome("o", decision_id=trace_id("a"), margin="5", event_s=9, received_s=9)
    put_outcomes(store, [told])
    for second in (10, 20):
        running.run_once(at(second))
    sold = rows(store, "SELECT converted, margin_usd FROM revenue_cells FINAL")
    assert [(cell["converted"], cell["margin_usd"]) for cell in sold] == [(1, Decimal(5))]


def test_refund_by_key_is_of_the_decision_that_sold_hours_before(store: Connections) -> None:
    """Another that carries the key began since then, and has sold nothing."""
    put_spans(store, decision("a", 0, 50, received_s=1, outcome__key="k"))
    running = job(store)
    put_outcomes(store, [outcome("s", key="k", margin="40", event_s=2, received_s=2)])
    running.run_once(at(10))
    begin_s = 2 * 3_600
    put_spans(store, decision("b", begin_s * 1_000, 50, received_s=begin_s + 1, outcome__key="k"))
    running.run_once(at(begin_s + 10))
    back = outcome("r", key="k", kind="refund", margin="15", event_s=begin_s + 20,
                   received_s=begin_s + 20)  # fmt: skip
    put_outcomes(store, [back])
    for second in (30, 60):
        running.run_once(at(begin_s + second))
    owners = rows(
        store, "SELECT * FROM outcome_matches FINAL WHERE is_gone = 0 ORDER BY outcome_id"
    )
    assert [each["decision_id"] for each in owners] == [trace_id("a"), trace_id("a")]
    (sold,) = rows(store, "SELECT sum(margin_usd) AS usd FROM revenue_cells FINAL")
    assert sold["usd"] == 25


def test_a_lookup_reads_what_it_names_however_much_is_kept(store: Connections) -> None:
    """Every two seconds the job of attribution asks; it read all outcomes of every day."""
    for day in range(DAYS):
        store.client().command(
            _OUTCOMES,
            parameters={
                "first": day * A_DAY,
                "day_ns": NOW_NS - day * NS_PER_DAY,
                "rows": A_DAY,
            },
        )
    put_spans(store, decision("a", 0, 50))
    put_outcomes(store, [outcome("mine", decision_id=trace_id("a"), revenue="5")])
    reader = Reader(store, AttributesConfig())
    found, read = rows_read(store, lambda: reader.cell_outcomes([BASE_NS], "USD", 7))
    assert found["outcome_id"].to_pylist() == ["mine"]
    assert read < A_DAY / 2
    matches, read = rows_read(store, lambda: reader.outcome_matches([BASE_NS], ["mine"]))
    assert len(matches) == 0
    assert read < A_DAY / 2
