"""What several tests of kernel share."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np

from attribution.compact.trees import Packed, pack
from attribution.core.segments import STAGES
from attribution.path.assemble import Trees, assemble
from attribution.path.budget import Budgets, budgets, stage_bounds
from attribution.path.classify import classify, sent_stages
from attribution.path.critical_path import critical_path
from attribution.path.spans import NONE
from tests.support.attribution.spans_builder import R, S, columns, link_columns, root_columns


def packed(spans: list[S], roots: list[R], skew_max_ns: int = 0) -> tuple[Trees, Packed, Budgets]:
    """Return the trees, their compact columns, and the budgets computed the long way."""
    own, of_roots = columns(spans), root_columns(roots)
    trees = assemble(own, of_roots, link_columns(spans), skew_max_ns=skew_max_ns)
    span_class, _ = classify(trees, own, np.empty(0, np.int8))
    sent = sent_stages(trees, own)
    root_stage = np.full(len(roots), NONE, np.int64)
    root_stage[trees.decision[trees.levels[0]]] = own.stage[trees.row[trees.levels[0]]]
    path = critical_path(trees, of_roots)
    split = budgets(trees, path, of_roots, span_class, sent, root_stage)
    bounds = stage_bounds(of_roots, root_stage)
    return trees, pack(trees, of_roots, bounds, span_class, sent), split


def stamped(rng: random.Random, spans: list[S], root: R) -> tuple[list[S], R]:
    """Give a decision stamps, some spans a stage or a class, and at times no root at all."""
    at = sorted(rng.randint(root.start, root.end + 1) for _ in range(3))
    transform, decision, egress = (rng.choice([0, each]) for each in at)
    spans = [
        replace(s, stage=rng.choice(["", "", "", *STAGES]), is_store=rng.random() < 0.2)
        for s in spans
    ]
    if rng.random() < 0.05:
        spans = [s for s in spans if s.span_id != root.span_id]
    return spans, replace(root, transform=transform, decision=decision, egress=egress)
