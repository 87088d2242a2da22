"""Runs that follow one another read each span once, and end where one run over all of it ends."""

from __future__ import annotations

import random

import pytest

from collector.store.connect import Connections
from tests.support.attribution.attribution_job import (
    at,
    computed_afresh,
    declared_only,
    everything,
    job,
)
from tests.support.attribution.stored import (
    Stored,
    cells,
    decision,
    put_outcome,
    put_spans,
    rows,
    trace_id,
)
from tests.support.examples import examples


def _window(draw: random.Random, number: int) -> list[Stored]:
    """Return what came in one window: many decisions, a few of them odd, and what was late."""
    now_s = number * 20.0
    found: list[Stored] = []
    for at_decision in range(230):
        trace = f"w{number}d{at_decision}"
        begin_ms = now_s * 1_000 - 1_000 + at_decision
        named = {"decision__region": draw.choice(["eu", "us"])}
        if draw.random() < 0.05:
            named["decision__id"] = f"own-{trace}"
        found += decision(trace, begin_ms, 50 + draw.randrange(100), now_s, **named)
        if draw.random() < 0.05:
            found.append(Stored("far", "", begin_ms + 5, 20, "Server", f"far-{trace}",
                                received_s=now_s, links=((trace, "root"),)))  # fmt: skip
    for _ in range(number and 6):
        earlier = draw.randrange(number)
        trace = f"w{earlier}d{draw.randrange(230)}"
        begin_ms = earlier * 20_000 - 990
        kind = draw.choice(["late", "get", "root of another"])
        found.append(Stored(kind[:4], "root", begin_ms, 30, "Client", trace, received_s=now_s,
                            attributes={"db.system": "mysql"}))  # fmt: skip
    return found


@pytest.mark.drawn
@pytest.mark.parametrize("seed", range(examples(1)))
def test_run_after_run_ends_where_one_over_everything_does(store: Connections, seed: int) -> None:
    """Spans that were late, came twice or link from elsewhere, a restart, a minute in pieces."""
    declared_only(store)
    draw = random.Random(seed)
    running, first = job(store), 0
    for number in range(6):
        put_spans(store, _window(draw, number))
        put_outcome(store, f"o{number}", decision_id=trace_id(f"w{number}d3"), margin="4",
                    received_s=number * 20.0 + 1)  # fmt: skip
        if number == 3:
            running = job(store)
        now_ns = at(number * 20 + 10)
        report = running.run_once(now_ns, stored_ns=now_ns)
        first += report.attributed
    assert first == 6 * 230
    assert running.run_once(at(130), stored_ns=at(130)).attributed == 0

    assert everything(store) == computed_afresh(store, 130)


def test_minute_that_somebody_else_rewrote_is_read_again(store: Connections) -> None:
    """`millworth recompute` may run in another process, and what is held here is old then."""
    running = job(store)
    running.run_once(at(0.5), stored_ns=at(0.5))
    for number in range(3):
        put_spans(store, decision(f"d{number}", number * 1_000, received_s=number * 10.0 + 1))
        running.run_once(at(number * 10 + 8), stored_ns=at(number * 10 + 8))
        if number == 1:
            job(store).recompute(at(0), at(60), at(19))

    assert everything(store) == computed_afresh(store, 60)


def test_service_that_receives_nothing_is_looked_at_every_few_seconds(store: Connections) -> None:
    """An hour without a request costs next to nothing, and what came from a file is found."""
    put_spans(store, decision())
    running = job(store)
    for second in (10, 12):
        running.run_once(at(second), stored_ns=at(second), newest_ns=at(1))
    put_outcome(store, "o", decision_id=trace_id("a"), margin="4", received_s=13)

    idle = running.run_once(at(14), stored_ns=at(14), newest_ns=at(1))
    asked = running.run_once(at(23), stored_ns=at(23), newest_ns=at(1))

    assert (idle.cursor_ns, idle.cells_rewritten) == (at(9), 0)
    assert asked.cells_rewritten == 1


def test_outcome_of_a_decision_that_has_not_settled_is_counted_once_it_has(
    store: Connections,
) -> None:
    """Nothing of its second is summed before: to look then would find what is found later again."""
    running = job(store)
    running.run_once(at(0), stored_ns=at(0), newest_ns=at(0))
    put_spans(store, decision("a", 1_000, received_s=1.2))
    put_outcome(store, "o", decision_id=trace_id("a"), margin="4", received_s=1.3)

    running.run_once(at(3), stored_ns=at(3), newest_ns=at(1.3))
    assert rows(store, "SELECT * FROM outcome_matches") == []
    assert cells(store) == []

    running.run_once(at(8), stored_ns=at(8), newest_ns=at(1.3))
    (counted,) = rows(store, "SELECT outcome_id, revision FROM outcome_matches")
    assert (counted["outcome_id"], counted["revision"]) == ("o", 1)
    assert [each["margin_usd"] for each in cells(store)] == [4]
    assert everything(store) == computed_afresh(store, 60)


@pytest.mark.parametrize("restarts", [False, True])
def test_outcome_of_a_decision_whose_clock_is_ahead_is_counted(
    store: Connections, restarts: bool
) -> None:
    """It is attributed before the second comes in which it says that it began."""
    put_spans(store, decision("a", 1_000, received_s=0.5))
    running = job(store)
    running.run_once(at(5.6), stored_ns=at(5.6))
    put_outcome(store, "o", decision_id=trace_id("a"), margin="4", received_s=5.62)
    running.run_once(at(5.7), stored_ns=at(5.7))

    running = job(store) if restarts else running
    running.run_once(at(6.5), stored_ns=at(6.5))
    assert [each["margin_usd"] for each in cells(store)] == [4]
    assert everything(store) == computed_afresh(store, 60)
