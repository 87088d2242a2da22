"""An id that decisions hours apart share, of a counter that starts anew: one outcome, one owner."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from collector.store.connect import Connections
from tests.support.attribution.attribution_job import at, job
from tests.support.attribution.stored import decision, outcome, put_outcomes, put_spans, rows
from tests.support.examples import examples

HOUR_S = 3_600


def owners(store: Connections) -> dict[str, list[int]]:
    """Return in which seconds the decisions began that each outcome is counted to."""
    found: dict[str, list[int]] = {}
    for row in rows(store, "SELECT * FROM outcome_matches FINAL WHERE is_gone = 0"):
        found.setdefault(row["outcome_id"], []).append(row["ingress_ns"])
    return found


def earned(store: Connections) -> Decimal:
    """Return what all cells earned."""
    (row,) = rows(store, "SELECT sum(margin_usd) AS usd FROM revenue_cells FINAL")
    return Decimal(row["usd"])


@pytest.mark.parametrize("is_between", [True, False], ids=["between", "after both"])
@pytest.mark.parametrize("apart_s", [600, 3 * HOUR_S])
def test_outcome_is_counted_to_one_of_two(
    store: Connections, apart_s: int, *, is_between: bool
) -> None:
    """Whether it comes between them or after both; to sum either anew changes nothing."""
    put_spans(store, decision("a", -apart_s * 1_000, 80, -apart_s + 1, decision__id="d-1"))
    running = job(store)
    told_s = -apart_s + 5 if is_between else 12
    told = outcome("o", decision_id="d-1", margin="5", event_s=told_s, received_s=told_s)
    if is_between:
        put_outcomes(store, [told])
    running.run_once(at(0))
    put_spans(store, decision("b", 10_000, 80, 11, decision__id="d-1"))
    if not is_between:
        put_outcomes(store, [told])
    running.run_once(at(20))
    running.run_late(at(20), lambda: True)
    assert earned(store) == 5
    first = owners(store)
    for begin_s in (10, -apart_s):
        running.recompute(at(begin_s), at(begin_s + 1), at(30))
        assert earned(store) == 5
    assert [len(each) for each in (*first.values(), *owners(store).values())] == [1, 1]


@pytest.mark.drawn
@pytest.mark.parametrize("seed", range(examples(2)))
def test_each_outcome_has_one_owner(store: Connections, seed: int) -> None:
    """However ids come again, outcomes are amended, and the process is killed."""
    draw = random.Random(seed)
    running = job(store)
    amounts: dict[str, Decimal] = {}
    known: list[str] = []
    for number in range(25):
        second = number * 1_500
        name = f"d-{draw.randrange(4)}"
        known.append(name)
        put_spans(
            store,
            decision(f"t{number}", second * 1_000, 80, second + 1, decision__id=name),
        )
        for _ in range(draw.randrange(3)):
            told = f"o{draw.randrange(20)}"
            amounts[told] = Decimal(draw.randrange(1, 100))
            put_outcomes(
                store,
                [
                    outcome(told, decision_id=draw.choice(known), margin=str(amounts[told]),
                            event_s=second + 2, received_s=second + 2)
                ],
            )  # fmt: skip
        if draw.random() < 0.8:
            running.run_once(at(second + 10))
            running.run_late(at(second + 10), lambda: True)
        if draw.random() < 0.1:
            running = job(store)
    running.run_once(at(40_000))
    running.run_late(at(40_000), lambda: True)
    assert {told: len(each) for told, each in owners(store).items()} == dict.fromkeys(amounts, 1)
    assert earned(store) == sum(amounts.values()), f"seed {seed}"
