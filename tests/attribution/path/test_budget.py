from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.core.segments import SEGMENTS, STAGES
from attribution.path.assemble import assemble
from attribution.path.budget import budgets
from attribution.path.classify import classify, rule_classes, sent_stages
from attribution.path.critical_path import critical_path
from attribution.path.spans import NONE
from tests.support.attribution.critical_path import random_trace
from tests.support.attribution.spans_builder import (
    R,
    S,
    columns,
    labels,
    link_columns,
    root_columns,
)
from tests.support.examples import examples


def split(
    spans: list[S], roots: list[R], root_stage: int = NONE
) -> tuple[list[dict[str, int]], dict[int, str]]:
    """Return the segments of each decision that are not 0, and the stage of each span."""
    table, root_table = columns(spans), root_columns(roots)
    trees = assemble(table, root_table, link_columns(spans), skew_max_ns=60)
    path = critical_path(trees, root_table)
    found, _ = classify(trees, table, rule_classes((), labels(spans)))
    result = budgets(
        trees, path, root_table, found, sent_stages(trees, table),
        np.full(len(roots), root_stage, np.int64),
    )  # fmt: skip
    named = [
        {f"{stage}/{c}": ns for (stage, c), ns in zip(SEGMENTS, row, strict=True) if ns}
        for row in result.segment_ns.tolist()
    ]
    for row, root in zip(named, roots, strict=True):
        ingress = root.start if root.ingress is None else root.ingress
        assert sum(row.values()) == root.end - ingress
    stages = zip(trees.span_id.tolist(), result.span_stage.tolist(), strict=True)
    return named, {span_id: STAGES[stage] for span_id, stage in stages}


def test_sections_are_cut_at_the_stamps() -> None:
    """One span that runs over a stamp is part of two stages."""
    root = R(1, 0, 100, transform=10, decision=30, egress=80)
    parts, stages = split([S(1, kind="Server"), S(2, 1, 20, 90, "Client", is_store=True)], [root])
    assert parts == [
        {
            "ingress/compute": 10, "transform/compute": 10, "transform/store": 10,
            "decision/store": 50, "egress/store": 10, "egress/compute": 10,
        }
    ]  # fmt: skip
    assert stages == {1: "ingress", 2: "transform"}


def test_own_stage_of_a_span_wins_over_the_stamps() -> None:
    """A child knows what it works for, whenever it runs."""
    root = R(1, 0, 100, decision=30)
    parts, _ = split([S(1), S(2, 1, 20, 60, stage="egress")], [root])
    assert parts == [{"ingress/compute": 20, "egress/compute": 40, "decision/compute": 40}]


def test_without_stamps_everything_is_the_decision_stage() -> None:
    """The first hour needs no change to any service."""
    assert split([S(1)], [R()])[0] == [{"decision/compute": 100}]
    assert split([S(1)], [R()], STAGES.index("egress"))[0] == [{"egress/compute": 100}]


def test_stage_without_a_stamp_takes_no_time() -> None:
    """The stage before it lasts."""
    parts, _ = split([S(1)], [R(transform=20, egress=70)])
    assert parts == [{"ingress/compute": 20, "transform/compute": 50, "egress/compute": 30}]


def test_time_before_the_root_is_untraced() -> None:
    """No span covers it, so nobody is blamed, and it is not lost."""
    parts, _ = split([S(1, 0, 40, 100)], [R(1, 40, 100, ingress=10, decision=20)])
    assert parts == [{"ingress/untraced": 10, "decision/untraced": 20, "decision/compute": 60}]


def test_time_before_a_late_ingress_stamp_is_not_the_decisions() -> None:
    """The latency is root end minus ingress, and the parts sum to it."""
    parts, _ = split([S(1), S(2, 1, 10, 60, "Client", is_store=True)], [R(ingress=50)])
    assert parts == [{"decision/store": 10, "decision/compute": 40}]


def test_decision_without_its_root_span_is_untraced() -> None:
    """A total without parts is shown as such."""
    assert split([], [R()])[0] == [{"decision/untraced": 100}]


@given(st.integers(0, 2**32))
@settings(max_examples=examples(150), deadline=None)
def test_segments_sum_to_the_decision(seed: int) -> None:
    """Sixteen parts, one total, to the nanosecond, whatever arrives and however it is stamped."""
    rng = random.Random(seed)
    pairs = [random_trace(rng, trace, 1_000) for trace in range(4)]
    roots = [
        replace(
            root,
            ingress=min(root.ingress or 0, root.end),
            transform=rng.choice([0, rng.randint(980, 1_250)]),
            decision=rng.choice([0, rng.randint(980, 1_250)]),
            egress=rng.choice([0, rng.randint(980, 1_250)]),
        )
        for _, root in pairs
    ]
    split([s for spans, _ in pairs for s in spans], roots)
