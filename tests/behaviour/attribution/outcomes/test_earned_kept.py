"""What decisions earned is kept as the job counts it, and is what all outcomes say."""

from __future__ import annotations

import random
from typing import Final

import pytest

from attribution.books.group_values import read_group_values
from attribution.core.config import AttributionConfig, ChannelConfig
from attribution.core.selection import Selection
from attribution.jobs.attribution import AttributionJob
from collector.core.config import AttributesConfig, OutcomesConfig
from collector.core.times import NS_PER_DAY, NS_PER_S
from collector.store.connect import Connections
from tests.conftest import NOW_NS
from tests.support.attribution.attribution_job import at, job
from tests.support.attribution.long_way.earned import earned_as_kept, earned_by_row
from tests.support.attribution.rows_read import rows_read
from tests.support.attribution.stored import (
    BASE_NS,
    decision,
    outcome,
    put_outcomes,
    put_sales,
    put_spans,
    trace_id,
)
from tests.support.examples import examples

_DAY_S: Final = 86_400
CONFIG: Final = AttributionConfig().reading(
    OutcomesConfig(), {"tv": ChannelConfig(horizon_days=90), "app": ChannelConfig(horizon_days=365)}
)
_RATES: Final = "INSERT INTO currency_rates (currency, day_ns, rate, received_ns) VALUES"
A_DAY: Final = 20_000
DAYS: Final = 12
_OTHERS: Final = (
    "INSERT INTO outcomes (outcome_id, kind, decision_id, converted, event_ns, received_ns)"
    " SELECT lower(hex(sipHash128(n))), 'sale', lower(hex(sipHash128('d', n))), 1, at_ns, at_ns"
    " FROM (SELECT number + {first:UInt64} AS n, {day_ns:UInt64} + number AS at_ns"
    " FROM numbers({rows:UInt64}))"
)


def said(draw: random.Random, pass_: int, names: list[str], keys: list[str]) -> list[list[object]]:
    """Return some outcomes: new, amended, taken back, corrected, late, by id or key, for nobody."""
    found = []
    is_whole = draw.random() < 0.5
    for _ in range(draw.randrange(1, 25)):
        event_s = draw.choice((3, 15, _DAY_S, 3 * _DAY_S, 40 * _DAY_S)) + draw.randrange(5)
        kind = draw.choice(("sale", "sale", "refund", "correction"))
        found.append(outcome(
            f"o{draw.randrange(15)}",
            decision_id=draw.choice(("", "", trace_id(draw.choice(names)), "shared", "nobody")),
            key=draw.choice(keys),
            kind=kind,
            converted=draw.random() < 0.8,
            # Of a sale that says both amounts, a refund that says one takes its share.
            margin=draw.choice(("2", "0.75") if is_whole and kind != "refund" else (None, "2")),
            revenue=draw.choice(("5", "7.5", "-1") if is_whole else (None, "5", "7.5", "-1")),
            currency=draw.choice(("USD", "USD", "EUR", "CHF")),
            event_s=event_s,
            received_s=100 * pass_ + draw.randrange(50),
        ))  # fmt: skip
    return found + draw.sample(found, draw.randrange(len(found)))


@pytest.mark.drawn
@pytest.mark.parametrize("seed", range(examples(4)))
def test_what_is_kept_is_what_all_outcomes_say(store: Connections, seed: int) -> None:
    """After every pass, whatever came late, moved, was amended or taken back, at any horizon."""
    draw = random.Random(seed)
    keys = ["", "k1", "k2", "k3"]
    names: list[str] = []
    begins_s = draw.sample(range(16), 16)
    running = AttributionJob(CONFIG, AttributesConfig(), store)
    # Of the euro there are rates, of the franc an old one.
    store.client().command(
        f"{_RATES} ('EUR', {BASE_NS - NS_PER_DAY}, 1.25, 1), ('EUR', {BASE_NS + 3 * NS_PER_DAY},"
        f" 2, 1), ('CHF', {BASE_NS - 9 * NS_PER_DAY}, 1.5, 1)"
    )
    found = 0
    for pass_ in range(1, 4):
        fresh = [f"d{pass_}{number}" for number in range(draw.randrange(1, 6))]
        names += fresh
        # Some begin before those that are known, some have the id of another or its key.
        put_spans(store, [
            span
            for name in fresh
            for span in decision(
                name, 1_000 * begins_s.pop(), 50, 100 * pass_,
                outcome__key=draw.choice(keys),
                decision__channel=draw.choice(("web", "tv", "app")),
                decision__id=draw.choice((trace_id(name), trace_id(name), "shared")),
            )
        ])  # fmt: skip
        put_outcomes(store, said(draw, pass_, names, keys))
        running.run_once(at(100 * pass_ + 60))
        running.drain(at(100 * pass_ + 60))
        for config in (CONFIG, CONFIG.at_horizon(365)):
            for amount in ("margin", "revenue", "converted"):
                window = BASE_NS + draw.choice((0, 3, 7)) * NS_PER_S, BASE_NS + NS_PER_DAY
                wanted = earned_by_row(store, window, amount, config)
                kept = earned_as_kept(store, window, amount, config)
                assert len(kept) == len(wanted), f"seed {seed}, pass {pass_}"
                for ours, theirs in zip(kept, wanted, strict=True):
                    assert ours[:5] + ours[6:] == theirs[:5] + theirs[6:], f"seed {seed}"
                    # Of the same numbers, added up in another order.
                    assert ours[5] == pytest.approx(theirs[5]), f"seed {seed}, pass {pass_}"
                found += len(wanted)
    assert found > 0


def test_what_a_window_earned_reads_its_own_decisions(store: Connections) -> None:
    """Whatever else was sold since: a question about an hour read every outcome that came later."""
    for day in range(DAYS):
        asked = {"first": day * A_DAY, "day_ns": NOW_NS + day * NS_PER_DAY, "rows": A_DAY}
        store.client().command(_OTHERS, parameters=asked)
    names = [f"d{number}" for number in range(100)]
    put_spans(store, [s for at_s, name in enumerate(names) for s in decision(name, at_s, 50)])
    put_sales(store, names, "4")
    job(store).drain(at(60))
    hour = Selection(BASE_NS, BASE_NS + 3_600 * NS_PER_S)
    (value,), read = rows_read(
        store, lambda: read_group_values(store, AttributionConfig(), hour, "action")
    )
    assert (value.decisions, value.earned_usd) == (100, 400)
    assert read < 1_000
