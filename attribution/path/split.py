"""Pure: columns of decisions and spans -> their critical paths, split by segment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from attribution.core.config import AttributionConfig
from attribution.path.assemble import Trees, assemble
from attribution.path.budget import Budgets, budgets
from attribution.path.classify import classify, kinds_by_place, rule_classes, sent_stages
from attribution.path.critical_path import CriticalPath, critical_path
from attribution.path.membership import Flag, Forest, plant
from attribution.path.spans import NONE, Ints, Links, Roots, Small, Spans
from collector.core.times import NS_PER_S

# As in `columns`, which loads pyarrow; a file is split without it, sooner by its import.
_Table: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class Inputs:
    """Decisions and the spans that may belong to them, as columns."""

    decisions: _Table  # of the store, as is the next: None of a file
    spans: _Table
    roots: Roots
    columns: Spans
    links: Links
    labels: Sequence[tuple[str, str]]  # service and span name of each label
    forest: Forest | None = None  # of these columns, where it is known


@dataclass(frozen=True, slots=True)
class Attributed:
    """Everything computed for a batch of decisions."""

    decisions: _Table
    spans: _Table
    roots: Roots
    trees: Trees
    path: CriticalPath
    span_class: Small
    budgets: Budgets
    flags: Ints


def attribute_columns(inputs: Inputs, config: AttributionConfig) -> Attributed:
    """Split the latency of these decisions."""
    roots, columns = inputs.roots, inputs.columns
    forest = inputs.forest or plant(columns, roots)
    columns = replace(columns, kind=kinds_by_place(columns, forest))
    skew_max_ns = round(config.skew_max_s * NS_PER_S)
    trees = assemble(columns, roots, inputs.links, skew_max_ns=skew_max_ns, forest=forest)
    path = critical_path(trees, roots)
    span_class, is_opaque = classify(trees, columns, rule_classes(config.rules, inputs.labels))
    top = trees.levels[0]
    root_stage = np.full(len(roots), NONE, np.int64)
    root_stage[trees.decision[top]] = columns.stage[trees.row[top]]
    split = budgets(trees, path, roots, span_class, sent_stages(trees, columns), root_stage)
    flags = trees.flags.copy()
    flags[trees.decision[path.is_outside]] |= Flag.OUTSIDE
    flags[trees.decision[is_opaque]] |= Flag.OPAQUE_PEER
    return Attributed(inputs.decisions, inputs.spans, roots, trees, path, span_class, split, flags)


def flag_names(bits: int) -> list[str]:
    """Return the flags as `attributions.flags` spells them, in order of their bits."""
    return [str(flag.name).lower() for flag in Flag if bits & flag]
