"""A sender that stamps a retry anew makes a second row of one decision; the first one stays."""

from __future__ import annotations

import random

import pytest

from attribution.jobs.attribution import AttributionJob
from collector.store.connect import Connections
from tests.support.attribution.attribution_job import at, job
from tests.support.attribution.stored import (
    BASE_NS,
    MS,
    attributions,
    decision,
    put_spans,
    rows,
    trace_id,
)

DAY_MS = 86_400_000.0


def current(store: Connections) -> list[tuple[str, int]]:
    """Return what whoever reads the table without a thought sees: id and start in ms."""
    sql = "SELECT decision_id, ingress_ns FROM decisions ORDER BY decision_id, ingress_ns"
    return [(row["decision_id"], (row["ingress_ns"] - BASE_NS) // MS) for row in rows(store, sql)]


def run_both(running: AttributionJob, second: float) -> None:
    """Run the lane of what comes now and that of what is late; all is stored."""
    running.run_once(at(second), stored_ns=at(second))
    running.run_late(at(second), lambda: True)


@pytest.mark.parametrize("moved_ms", [1.0, 700.0, -DAY_MS])
def test_a_retry_with_other_times_leaves_one_row(store: Connections, moved_ms: float) -> None:
    """Also where the times lie in another day, which is another part of the table."""
    put_spans(store, decision("a"))
    put_spans(store, decision("b"))
    put_spans(store, decision("a", start_ms=moved_ms, received_s=1.5))
    assert len(current(store)) == 3
    run_both(job(store), 20)
    assert current(store) == [(trace_id("a"), 0), (trace_id("b"), 0)]
    assert sorted(row["decision_id"] for row in attributions(store)) == [
        trace_id("a"),
        trace_id("b"),
    ]


def test_a_retry_that_comes_later_is_removed_when_it_is_seen(store: Connections) -> None:
    """The agent that comes back after an hour says nothing new."""
    run = job(store)
    put_spans(store, decision("a"))
    run_both(run, 20)
    for number in range(3):
        put_spans(store, decision("a", start_ms=5.0 + number, received_s=3600.0 + 20 * number))
        run_both(run, 3620 + 20 * number)
    assert current(store) == [(trace_id("a"), 0)]
    assert len(attributions(store)) == 1


@pytest.mark.parametrize("days", [0.02, 1, 20])
def test_second_run_of_a_seeded_sender_is_retries_of_the_first(
    store: Connections, days: float
) -> None:
    """It draws the same ids at another time: the first received counts, and nothing else waits."""
    running = job(store)
    put_spans(store, decision("a") + decision("b"))
    running.run_once(at(20), stored_ns=at(20))
    (before, _) = attributions(store)
    second_s = days * 86_400
    put_spans(store, decision("a", days * DAY_MS, received_s=second_s))
    run_both(running, second_s + 20)

    assert current(store) == [(trace_id("a"), 0), (trace_id("b"), 0)]
    (after, _) = attributions(store)
    assert (after["ingress_ns"], after["total_ns"]) == (before["ingress_ns"], before["total_ns"])


def test_decisions_of_one_id_in_traces_of_their_own_stay(store: Connections) -> None:
    """Two roots are two decisions to whoever sent them; which is meant is not ours to say."""
    put_spans(store, decision("a", decision__id="order-1"))
    put_spans(store, decision("b", start_ms=3.0, decision__id="order-1"))
    job(store).run_once(at(20))
    assert current(store) == [("order-1", 0), ("order-1", 3)]


def test_another_decision_under_the_same_ids_keeps_its_row(store: Connections) -> None:
    """Processes that were forked with one seed draw the same ids for different work."""
    put_spans(store, decision("a", decision__id="order-1"))
    put_spans(store, decision("a", start_ms=3.0, received_s=1.5, decision__id="order-2"))
    job(store).run_once(at(20))
    assert current(store) == [("order-1", 0), ("order-2", 3)]


def test_any_order_of_retries_leaves_the_first_received(store: Connections) -> None:
    """Many decisions, many retries, stored in any order."""
    draw = random.Random(11)
    copies = []
    for name in "abcdefgh":
        times = draw.sample(range(100), draw.randrange(1, 5))
        copies += [(name, start, received) for received, start in enumerate(times)]
    first = {name: start for name, start, received in reversed(copies) if received == 0}
    draw.shuffle(copies)
    for name, start, received in copies:
        put_spans(store, decision(name, start_ms=start, received_s=1 + received / 10))
    job(store).run_once(at(20))
    assert current(store) == sorted((trace_id(name), start) for name, start in first.items())


def test_of_roots_that_share_all_but_their_trace_one_counts_in_every_order(
    store: Connections,
) -> None:
    """One id, one ingress, one instant of arrival: which is meant does not hang on the insert."""
    for order_id, names in (("1", "abcdef"), ("2", "fedcba")):
        for name in names:
            put_spans(store, decision(name, decision__id=order_id))
    sql = "SELECT trace_id FROM decisions FINAL"
    kept = [row["trace_id"] for row in rows(store, sql)]
    assert len(kept) == 2
    assert kept[0] == kept[1]
