"""Pure: the decisions that a run attributes, and the others among their spans."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.columns import Table
from attribution.spans import Bools


@dataclass(frozen=True, slots=True)
class Loaded:
    """Decisions that spans touched, and all there is of them.

    `companions` are the other decisions among the spans, by link or id. They are not read whole and
    so not attributed here, but what is theirs is no part of the first ones.
    """

    decisions: Table
    companions: Table
    spans: Table
    stored: Table  # what was written of `decisions` before
    superseded: Table  # other rows of the same roots, which are not the current ones

    def every_decision(self) -> tuple[Table, Bools]:
        """Return all decisions, and which of them are to be attributed."""
        every = pa.concat_tables([self.decisions, self.companions])
        return every, np.arange(len(every)) < len(self.decisions)


def one_each(decisions: Table) -> tuple[Table, Table]:
    """Return one decision a root span, and the others: a retry that stamped it otherwise.

    The first received is the current one.
    """
    order = pc.sort_indices(
        decisions, sort_keys=[("received_ns", "ascending"), ("ingress_ns", "ascending")]
    )
    decisions = decisions.take(order)
    seen: set[tuple[str, str]] = set()
    keep = []
    for key in zip(
        decisions["trace_id"].to_pylist(), decisions["root_span_id"].to_pylist(), strict=True
    ):
        keep.append(key not in seen)
        seen.add(key)
    is_kept = pa.array(keep, pa.bool_())
    return decisions.filter(is_kept), decisions.filter(pc.invert(is_kept))


def without(decisions: Table, known: Table) -> Table:
    """Return the decisions whose root is none of the known ones'."""
    roots = set(zip(known["trace_id"].to_pylist(), known["root_span_id"].to_pylist(), strict=True))
    ours = zip(
        decisions["trace_id"].to_pylist(), decisions["root_span_id"].to_pylist(), strict=True
    )
    return decisions.filter(pa.array([each not in roots for each in ours], pa.bool_()))
