"""Decisions whose spans lie in several traces, whichever is received first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from collector.store.connect import Connections
from tests.support.attribution.attribution_job import (
    at,
    computed_afresh,
    declared_only,
    everything,
    job,
)
from tests.support.attribution.stored import Stored, attributions, decision, put_spans, trace_id


def test_decision_across_traces(store: Connections) -> None:
    """By decision id and by span link, whichever trace is received first."""
    declared_only(store)
    to_post = (("a", "post"),)
    put_spans(store, [Stored("job", "", 50, 10, "Consumer", "c", received_s=1, links=to_post)])
    put_spans(store, decision(received_s=4))
    running = job(store)
    running.run_once(at(10))
    (row,) = attributions(store)
    assert (row["span_count"], row["flags"]) == (4, ["linked", "async", "opaque_peer"])

    put_spans(store, [
        Stored("far", "", 75, 20, "Internal", "b", received_s=12,
               attributes={"decision.id": trace_id("a"), "latency.class": "store"}),
    ])  # fmt: skip
    assert running.run_once(at(20)).revised == 1
    (row,) = attributions(store)
    assert row["span_count"] == 5
    assert row["parts"] == {"decision/network": 30, "decision/compute": 30, "decision/store": 40}
    assert everything(store) == computed_afresh(store, 30)


def test_trace_with_a_decision_of_its_own_may_hold_spans_of_another(store: Connections) -> None:
    """A span that names a decision by id is its part, whichever trace is received first."""
    named = {"decision.id": "d", "latency.class": "store"}
    foreign = [
        *decision("b", 5, 90, decision__id="price"),
        Stored("far", "gone", 72, 20, "Internal", "b", attributes=named),
    ]
    put_spans(store, foreign)
    running = job(store)
    running.run_once(at(10))
    put_spans(store, decision("a", received_s=12, decision__id="d"))
    running.run_once(at(20))
    first, second = attributions(store)
    assert (first["decision_id"], first["span_count"], first["revision"]) == ("d", 4, 1)
    assert (second["decision_id"], second["span_count"], second["revision"]) == ("price", 3, 2)
    assert first["parts"] == {
        "decision/network": 30, "decision/compute": 30, "decision/store": 40,
    }  # fmt: skip
    assert everything(store) == computed_afresh(store, 30)


def test_span_sent_again_with_other_links_is_another_span(store: Connections) -> None:
    """The first received counts, and the decision says that there was a second."""
    root, *calls = decision("a")
    put_spans(store, [root, *calls, replace(calls[0], links=(("b", "root"),), received_s=2)])
    job(store).run_once(at(10))
    (row,) = attributions(store)
    assert (row["span_count"], row["flags"]) == (3, ["duplicate_span", "opaque_peer"])


def test_spans_of_a_decision_that_links_to_another_are_its_own(store: Connections) -> None:
    """A retry or a batch links to what it follows; each decision keeps its spans, in any order."""
    put_spans(store, decision("a"))
    running = job(store)
    running.run_once(at(10))
    root, *calls = decision("c", 60, 100, received_s=12)
    put_spans(store, [replace(root, links=(("a", "root"),)), *calls])
    running.run_once(at(20))
    put_spans(store, [Stored("late", "root", 72, 10, trace="a", received_s=22)])
    report = running.run_once(at(30))
    assert (report.revised, report.unchanged) == (1, 0)
    first, second = attributions(store)
    assert (first["span_count"], first["revision"], first["flags"]) == (4, 2, ["opaque_peer"])
    assert (second["span_count"], second["revision"], second["flags"]) == (3, 1, ["opaque_peer"])
    assert everything(store) == computed_afresh(store, 40)


@pytest.mark.parametrize(
    ("early_min", "late_min"), [(0, 5), (0, 12), (0, 120), (12, 120), (30, 45)]
)
def test_companion_that_came_long_before_the_root_is_joined(
    store: Connections, early_min: int, late_min: int
) -> None:
    """Whoever made the decision could not send for a while; whoever was called could.

    Or files of it are imported one after the other, days later.
    """
    declared_only(store)
    named = {"decision.id": "d", "latency.class": "store"}
    spans = [
        Stored("far", "", 72, 20, "Consumer", "b", attributes=named),
        Stored("job", "", 50, 10, "Consumer", "c", links=(("a", "post"),)),
        Stored("own", "", 50, 10, "Server", "e"),
    ]
    put_spans(store, [replace(each, received_s=early_min * 60 + 1) for each in spans])
    running = job(store)
    then = at(early_min * 60 + 10)
    running.run_once(then, stored_ns=then)
    running.run_late(then, lambda: True)
    put_spans(store, decision("a", received_s=late_min * 60, decision__id="d"))
    then = at(late_min * 60 + 10)
    running.run_once(then, stored_ns=then)
    running.run_late(then, lambda: True)
    (row,) = [each for each in attributions(store) if each["decision_id"] == "d"]
    assert row["span_count"] == 5
    assert everything(store) == computed_afresh(store, late_min * 60 + 30)


@pytest.mark.parametrize("links", [("a", "b"), ("b", "a")])
@pytest.mark.parametrize("late", ["a", "b"])
def test_batch_that_links_to_two_decisions_is_of_one(
    store: Connections, links: tuple[str, str], late: str
) -> None:
    """Also once a span of the other comes late: both had it, and its time was in both."""
    declared_only(store)
    batch = Stored(
        "batch", "", 92, 8, "Consumer", "c", links=tuple((each, "post") for each in links),
        attributes={"latency.blocking": "true", "latency.class": "store"},
    )  # fmt: skip
    put_spans(store, [*decision("a"), *decision("b", 20), batch])
    running = job(store)
    running.run_once(at(10))
    assert [row["span_count"] for row in attributions(store)] == [4, 3]
    put_spans(store, [Stored("late", "root", 22, 1, trace=late, received_s=12)])
    running.run_once(at(20))
    first, second = attributions(store)
    assert first["span_count"] + second["span_count"] == 8
    assert (first["parts"]["decision/store"], second["parts"]["decision/store"]) == (28, 20)
    assert everything(store) == computed_afresh(store, 30)


@pytest.mark.parametrize("order", [("a", "b", "c"), ("c", "b", "a"), ("b", "c", "a")])
def test_batch_goes_to_the_first_whichever_decision_comes_first(
    store: Connections, order: tuple[str, ...]
) -> None:
    """What one decision was given for want of the other is taken from it again."""
    declared_only(store)
    batch = Stored("batch", "", 95, 10, "Consumer", "c", links=(("b", "post"), ("a", "post")))
    spans = {"a": decision("a"), "b": decision("b", 20), "c": [batch]}
    running = job(store)
    for number, name in enumerate(order):
        come_s = 1.0 + 10 * number
        put_spans(store, [replace(each, received_s=come_s) for each in spans[name]])
        running.run_once(at(round(come_s) + 9))
    assert [row["span_count"] for row in attributions(store)] == [4, 3]
