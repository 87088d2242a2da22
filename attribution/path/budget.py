"""Pure: critical path -> sixteen segments a decision, stage by class, that sum to its latency."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from attribution.core.segments import CLASSES, DECISION, SEGMENTS, STAGES, UNTRACED
from attribution.path.assemble import Trees
from attribution.path.critical_path import CriticalPath
from attribution.path.spans import NONE, Ints, Roots, Small


@dataclass(frozen=True, slots=True)
class Budgets:
    """Latency by segment of each decision, and the stage that each span began in."""

    segment_ns: Ints  # decisions x 16, columns as spans.SEGMENTS
    total_ns: Ints  # root end minus ingress; each row of segment_ns sums to it
    span_stage: Ints  # index into STAGES, one a row of Trees
    bounds_ns: Ints  # where stages begin and the last ends, as stage_bounds
    sent_stage: Ints  # stage that each span or an ancestor says, NONE where the stamps decide


def stage_bounds(roots: Roots, root_stage: Ints) -> Ints:
    """Return where stages begin and the last ends: decisions x 5, ascending.

    A stage without a stamp takes no time: the one before it lasts. Without any stamp all is the
    stage that the root says, else `decision`.
    """
    ingress, end = roots.ingress_ns, roots.end_ns
    egress = np.where(roots.egress_ns > 0, roots.egress_ns, end)
    decision = np.where(roots.decision_ns > 0, roots.decision_ns, egress)
    transform = np.where(roots.transform_ns > 0, roots.transform_ns, decision)
    bounds = np.stack([ingress, transform, decision, egress, end], axis=1)
    # Stamps out of order were refused on the way in; a file may hold them.
    bounds = np.minimum.accumulate(bounds[:, ::-1], axis=1)[:, ::-1]
    bounds = np.maximum(bounds, ingress[:, None])
    unstamped = (roots.transform_ns == 0) & (roots.decision_ns == 0) & (roots.egress_ns == 0)
    only = np.where(root_stage == NONE, DECISION, root_stage)
    single = np.where(np.arange(5) <= only[:, None], ingress[:, None], end[:, None])
    return np.where(unstamped[:, None], single, bounds)


def budgets(
    trees: Trees,
    path: CriticalPath,
    roots: Roots,
    span_class: Small,
    sent_stage: Ints,
    root_stage: Ints,
) -> Budgets:
    """Sum the critical path into segments, cutting its sections at the stamps.

    Time of a decision that no span covers, before its root began, is `untraced`.

    Args:
        trees: as assembled.
        path: the critical path of these trees.
        roots: the decisions.
        span_class: class of each span.
        sent_stage: stage that each span or an ancestor says, NONE where the stamps decide.
        root_stage: stage that each root span says, or NONE.
    """
    bounds = stage_bounds(roots, root_stage)
    total_ns = roots.end_ns - roots.ingress_ns
    gap_to = np.full(len(roots), -1, np.int64)
    top = trees.levels[0]
    gap_to[trees.decision[top]] = trees.start_ns[top]
    gap_to = np.clip(np.where(gap_to < 0, roots.end_ns, gap_to), roots.ingress_ns, roots.end_ns)

    row = path.section_row
    decision = np.concatenate([trees.decision[row], np.arange(len(roots))])
    from_ns = np.concatenate([path.section_from_ns, roots.ingress_ns])
    to_ns = np.concatenate([path.section_to_ns, gap_to])
    latency_class = np.concatenate([span_class[row], np.full(len(roots), UNTRACED)])
    sent = np.concatenate([sent_stage[row], np.full(len(roots), NONE)])

    segment_ns = np.zeros((len(roots), len(SEGMENTS)), np.int64)
    for stage in range(len(STAGES)):
        lower, upper = bounds[decision, stage], bounds[decision, stage + 1]
        cut = np.maximum(np.minimum(to_ns, upper) - np.maximum(from_ns, lower), 0)
        length = np.where(sent == NONE, cut, np.where(sent == stage, to_ns - from_ns, 0))
        np.add.at(segment_ns, (decision, stage * len(CLASSES) + latency_class), length)
    assert (segment_ns.sum(axis=1) == total_ns).all(), "the parts of a decision miss its total"

    began = np.maximum(trees.start_ns, roots.ingress_ns[trees.decision])
    later = (began[:, None] >= bounds[trees.decision, 1:4]).sum(axis=1)
    span_stage = np.where(sent_stage == NONE, later, sent_stage)
    return Budgets(segment_ns, total_ns, span_stage, bounds, sent_stage)
