"""Pure: what was computed -> one object a decision, as `attribute --json` prints it.

Times are absolute Unix ns after the shift, intervals half-open. Off the path a span has no self
time and no sections. Self times, and what no span covers, sum to the total.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypedDict

import numpy as np
import pyarrow as pa

from attribution.core.segments import CLASSES, STAGES
from attribution.path.rows import Attributed, flag_names


class SpanShare(TypedDict):
    """One span of a decision."""

    span_id: str
    on_path: bool
    self_ns: int
    sections: list[list[int]]  # [from_ns, to_ns], ascending
    shift_ns: int


class DecisionShare(TypedDict):
    """One decision; `classes` and `stages` each sum to `total_ns`."""

    decision_id: str
    trace_ids: list[str]  # that of the root first
    total_ns: int
    classes: Mapping[str, int]
    stages: Mapping[str, int]
    spans: list[SpanShare]  # by start before the shift, then span id
    flags: list[str]


def explain(done: Attributed) -> Iterator[DecisionShare]:
    """Yield every decision, in the order of `done.decisions`."""
    trees, path = done.trees, done.path
    source = done.spans.select(["trace_id", "shown_id"]).take(pa.array(trees.row)).to_pydict()
    order = np.argsort(path.section_row, kind="stable")
    pairs = np.stack([path.section_from_ns[order], path.section_to_ns[order]], axis=1).tolist()
    bounds = np.searchsorted(path.section_row[order], np.arange(len(trees) + 1)).tolist()
    on_path, self_ns = path.on_path.tolist(), path.self_ns.tolist()
    shift_ns = trees.shift_ns.tolist()
    count = len(done.decisions)
    first = np.searchsorted(trees.decision, np.arange(count + 1)).tolist()
    parts = done.budgets.segment_ns.reshape(count, len(STAGES), len(CLASSES))
    for at, decision in enumerate(done.decisions.select(["decision_id", "trace_id"]).to_pylist()):
        rows = range(first[at], first[at + 1])
        others = sorted({source["trace_id"][row] for row in rows} - {decision["trace_id"]})
        yield DecisionShare(
            decision_id=decision["decision_id"],
            trace_ids=[decision["trace_id"], *others],
            total_ns=int(done.budgets.total_ns[at]),
            classes=dict(zip(CLASSES, parts[at].sum(axis=0).tolist(), strict=True)),
            stages=dict(zip(STAGES, parts[at].sum(axis=1).tolist(), strict=True)),
            spans=[
                SpanShare(
                    span_id=source["shown_id"][row],
                    on_path=on_path[row],
                    self_ns=self_ns[row],
                    sections=pairs[bounds[row] : bounds[row + 1]],
                    shift_ns=shift_ns[row],
                )
                for row in rows
            ],
            flags=flag_names(int(done.flags[at])),
        )
