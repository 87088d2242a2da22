"""Traces that no decision comes of, and rules that no span meets, as Health says it."""

from __future__ import annotations

import pytest

from collector.core.config import (
    AttributesConfig,
    DecisionMatch,
    DecisionsConfig,
    OutcomesConfig,
)
from collector.core.times import NS_PER_HOUR
from collector.store.connect import Connections
from collector.store.schema.migrate import apply_views
from dashboard.health.items import UNDECLARED, HealthItem
from dashboard.health.senders.roots import Roots, root_items
from tests.conftest import NOW_NS
from tests.support.attribution.attribution_job import at, job
from tests.support.attribution.stored import Stored, decision, put_spans

RULE = DecisionMatch(service="shop", span_name="POST /checkout", kind="server", action="checkout")


def items_of(store: Connections, decisions: DecisionsConfig) -> dict[str, HealthItem]:
    """Return what Health says three minutes after a start, by name."""
    apply_views(store.client(), AttributesConfig(), decisions, OutcomesConfig(), NOW_NS)
    roots = Roots(decisions)
    assert roots.undeclared(store.client(), 0, at(-60)) == []
    found = roots.undeclared(store.client(), at(-120), at(120))
    return {each.name: each for each in root_items(found)}


def put_roots(store: Connections, name: str, *, count: int = 3) -> None:
    """Store traces of one server span each."""
    put_spans(
        store, [Stored("r", kind="Server", name=name, trace=f"{name}{n}") for n in range(count)]
    )


def test_rule_that_no_span_meets_is_named_with_what_came(store: Connections) -> None:
    """A slash too many made the shop invisible, and every figure was said to be well."""
    config = DecisionsConfig(match=(RULE,))
    apply_views(store.client(), AttributesConfig(), config, OutcomesConfig(), NOW_NS)
    put_roots(store, "POST /checkout/")
    put_roots(store, "GET /", count=9)
    item = items_of(store, config)["decisions.match.checkout"]
    assert (item.value, item.unit, item.status) == (12, "spans", "warn")
    assert item.detail.startswith(
        "no span met the rule of [[decisions.match]] with service = 'shop', "
        "span_name = 'POST /checkout', kind = 'server' in the last day; what came is "
        "'POST /checkout/' of shop; "
    )


def test_rule_that_was_met_is_not_named(store: Connections) -> None:
    """Nor one of a service that sends nothing."""
    config = DecisionsConfig(match=(RULE, DecisionMatch(service="other", action="x")))
    apply_views(store.client(), AttributesConfig(), config, OutcomesConfig(), NOW_NS)
    put_roots(store, "POST /checkout")
    job(store).drain(at(10))
    assert items_of(store, config) == {}


@pytest.mark.parametrize(
    ("config", "why"),
    [
        (DecisionsConfig(), "since one that carried decision.action came only such spans are"),
        (DecisionsConfig(auto=False), "decisions.auto is false"),
        (DecisionsConfig(match=(RULE,)), "none of them meets a rule of [[decisions.match]]"),
    ],
    ids=["one was declared", "off", "a rule"],
)
def test_traces_without_a_decision_are_named(
    store: Connections, config: DecisionsConfig, why: str
) -> None:
    """One test span with decision.action ended what was seen by itself, without a word."""
    put_spans(store, decision("old", -2 * NS_PER_HOUR / 1e6, 10, received_s=-7_200))
    apply_views(store.client(), AttributesConfig(), config, OutcomesConfig(), NOW_NS)
    put_roots(store, "GET /a")
    # The reference path decides all the time.
    put_spans(store, decision("ref", decision__action="calibration"))
    item = items_of(store, config)[UNDECLARED]
    assert (item.value, item.status) == (3, "warn")
    assert item.detail.startswith(
        f"'GET /a' of shop came in the last minutes, and no decision in the last hour: {why}"
    )


def test_what_serves_a_caller_that_sends_nothing_is_named(store: Connections) -> None:
    """Behind a gateway that propagates its trace no span is a root."""
    config = DecisionsConfig()
    spans = [Stored("r", "edge", kind="Server", name="POST /pay", trace=f"p{n}") for n in range(2)]
    put_spans(store, [*spans, Stored("q", "r", kind="Server", name="inner", trace="p1")])
    item = items_of(store, config)[UNDECLARED]
    assert item.value == 2
    assert item.detail.startswith("'POST /pay' of shop came in the last minutes")
    assert "each has a caller that sends no span, as a gateway or a browser" in item.detail


def test_what_processes_messages_under_a_poll_is_named(store: Connections) -> None:
    """A poll that waits is no decision, and the spans under it have a caller."""
    receive = {"messaging.operation.type": "receive"}
    spans = [
        Stored("poll", kind="Consumer", name="receive orders", attributes=receive, trace="k1"),
        Stored("one", "poll", kind="Consumer", name="process orders", trace="k1"),
        Stored("two", "poll", kind="Consumer", name="process orders", trace="k1"),
    ]
    put_spans(store, spans)
    item = items_of(store, DecisionsConfig())[UNDECLARED]
    assert item.value == 2
    assert item.detail.startswith("'process orders' of shop came in the last minutes")
    assert "or only waits for messages" in item.detail


def test_traces_beside_decisions_are_none_of_ours(store: Connections) -> None:
    """A probe of a load balancer is no decision, and nobody wants to hear of it."""
    put_spans(store, decision())
    put_roots(store, "GET /healthz")
    assert items_of(store, DecisionsConfig()) == {}
