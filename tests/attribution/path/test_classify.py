from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from attribution.core.config import ClassRule
from attribution.core.segments import CLASSES, STAGES
from attribution.path.assemble import assemble
from attribution.path.classify import classify, kinds_by_place, rule_classes, sent_stages
from attribution.path.membership import plant
from attribution.path.spans import KINDS, NONE
from tests.support.attribution.spans_builder import (
    R,
    S,
    columns,
    labels,
    link_columns,
    root_columns,
)


def classes(
    spans: list[S], rules: tuple[ClassRule, ...] = (), roots: Sequence[R] = (R(),)
) -> dict[int, str]:
    """Return the class of each span of the first decision, with ? where the peer is opaque."""
    table = columns(spans)
    trees = assemble(table, root_columns(roots), link_columns(spans), skew_max_ns=0)
    found, opaque = classify(trees, table, rule_classes(rules, labels(spans)))
    return {
        int(trees.span_id[row]): CLASSES[found[row]] + ("?" if opaque[row] else "")
        for row in np.flatnonzero(trees.decision == 0).tolist()
    }


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        pytest.param(S(2, 1, kind="Client", is_store=True), "store", id="database client"),
        pytest.param(S(2, 1, kind="Client"), "network?", id="client, peer unseen"),
        pytest.param(S(2, 1, kind="Server"), "compute", id="server"),
        pytest.param(S(2, 1, kind="Internal"), "compute", id="internal"),
        pytest.param(S(2, 1, kind="Internal", is_store=True), "store", id="embedded database"),
        pytest.param(S(2, 1, kind="Producer"), "network", id="producer"),
        pytest.param(S(2, 1, kind="Consumer"), "compute", id="consumer that processes"),
        pytest.param(S(2, 1, kind="Consumer", is_receive=True), "network", id="polling"),
        pytest.param(S(2, 1, kind="Unspecified"), "compute", id="kind not said"),
        pytest.param(
            S(2, 1, kind="Client", is_store=True, latency_class="compute"), "compute",
            id="latency.class wins",
        ),
    ],
)  # fmt: skip
def test_class_of_a_span_by_its_conventions(span: S, expected: str) -> None:
    """The words of the field, no configuration needed."""
    assert classes([S(1, kind="Server"), span]) == {1: "compute", 2: expected}


def test_client_with_a_server_below_is_network_and_not_opaque() -> None:
    """What is left of a call when the other side's time is taken off is the wire."""
    spans = [S(1), S(2, 1, kind="Client"), S(3, 2, kind="Server", service="cart")]
    assert classes(spans) == {1: "compute", 2: "network", 3: "compute"}


def test_store_that_sends_spans_itself() -> None:
    """The call is the wire then, and everything inside the store is store."""
    spans = [
        S(1), S(2, 1, kind="Client", is_store=True), S(3, 2, kind="Server", service="db"),
        S(4, 3), S(5, 4, latency_class="compute"),
    ]  # fmt: skip
    assert classes(spans) == {1: "compute", 2: "network", 3: "store", 4: "store", 5: "compute"}


def test_what_a_client_of_a_store_does_for_its_call_is_store() -> None:
    """Where its library for HTTP has spans of its own, the store was said to be the network."""
    call = S(2, 1, kind="Client", is_store=True)
    spans = [S(1), call, S(3, 2), S(4, 3, kind="Client")]
    assert classes(spans) == {1: "compute", 2: "store", 3: "store", 4: "store"}
    # The store itself sent spans: the call that reached it is the wire.
    spans += [S(5, 4, kind="Server", service="db"), S(6, 5, kind="Client")]
    assert classes(spans) == {
        1: "compute", 2: "store", 3: "store", 4: "network", 5: "store", 6: "store",
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["Server", "Consumer", "Internal", "Client"])
def test_decision_inside_another_one_is_compute_there(kind: str) -> None:
    """Its caller's call was all network, and the other side was said to have sent nothing."""
    spans = [S(1), S(2, 1), S(3, 2, kind=kind), S(4, 3, kind="Client", is_store=True)]
    assert classes(spans, roots=[R(1, code=0), R(3, code=1)]) == {
        1: "compute", 2: "compute", 3: "compute",
    }  # fmt: skip
    if kind == "Server":
        spans[1] = S(2, 1, kind="Client")
        assert classes(spans, roots=[R(1, code=0), R(3, code=1)]) == {
            1: "compute", 2: "network", 3: "compute",
        }  # fmt: skip


def test_kind_that_is_not_said_is_told_by_place() -> None:
    """Entered from another service, the call to one, or within; what is said stays."""
    named = "Unspecified"
    spans = [
        S(1, kind=named), S(2, 1, kind=named), S(3, 2, kind=named, service="cart"),
        S(4, 1, kind=named, is_store=True), S(5, 1, kind="Producer"),
    ]  # fmt: skip
    table = columns(spans)
    kinds = kinds_by_place(table, plant(table))
    assert [KINDS[kind] for kind in kinds] == [
        "Internal", "Client", "Server", "Internal", "Producer",
    ]  # fmt: skip
    said = replace(table, kind=kinds)
    assert kinds_by_place(said, plant(said)) is kinds


def test_internal_span_around_a_store_call_is_compute() -> None:
    """An ORM's own time is not the database's."""
    spans = [S(1), S(2, 1, is_store=True), S(3, 2, kind="Client", is_store=True)]
    assert classes(spans) == {1: "compute", 2: "compute", 3: "store"}


def test_store_call_far_below_takes_the_time_of_the_internal_span_around_it() -> None:
    """However many layers an ORM has."""
    spans = [
        S(1, kind="Server"), S(2, 1, is_store=True), S(3, 2), S(4, 3),
        S(5, 4, kind="Client", is_store=True), S(6, 1, is_store=True),
    ]  # fmt: skip
    assert classes(spans) == {
        1: "compute", 2: "compute", 3: "compute", 4: "compute", 5: "store", 6: "store",
    }  # fmt: skip


def test_first_rule_of_the_config_that_matches_wins() -> None:
    """A customer's own word is asked before the conventions, after what the span says."""
    rules = (
        ClassRule(service="^leg", span_name="read", latency_class="store"),
        ClassRule(service="^leg", latency_class="network"),
    )
    spans = [
        S(1), S(2, 1, service="legacy", name="read row"), S(3, 1, service="legacy", name="x"),
        S(4, 1, service="legacy", name="x", latency_class="compute"),
    ]  # fmt: skip
    assert classes(spans, rules) == {1: "compute", 2: "store", 3: "network", 4: "compute"}


def test_own_stage_wins_then_the_nearest_ancestors() -> None:
    """The root's own stage is left to its stamps."""
    spans = [
        S(1, stage="ingress"), S(2, 1, stage="egress"), S(3, 2), S(4, 3, stage="transform"),
        S(5, 1),
    ]  # fmt: skip
    table = columns(spans)
    trees = assemble(table, root_columns([R()]), link_columns(spans), skew_max_ns=0)
    found = {
        int(span_id): None if stage == NONE else STAGES[stage]
        for span_id, stage in zip(trees.span_id, sent_stages(trees, table), strict=True)
    }
    assert found == {1: None, 2: "egress", 3: "egress", 4: "transform", 5: None}
