"""Pure: the decisions that a run attributes, and the others among their spans."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.path.columns import Table
from attribution.path.spans import Bools


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
    """Return one decision a root span, and the rows that a retry of it stamped otherwise.

    The first received is the current one, and of those received at once the one that began first,
    then the one that ended last. Another decision under the ids of a span that is there is
    left out too, and is no retry: its row stays.
    """
    roots = decisions.group_by(["trace_id", "root_span_id"], use_threads=False).aggregate([])
    if len(roots) == len(decisions):
        return decisions, decisions.slice(0, 0)
    # The order in which membership chooses among spans of one id.
    keys = [(name, "ascending") for name in ("received_ns", "start_ns")]
    keys += [("end_ns", "descending"), ("ingress_ns", "ascending"), ("decision_id", "ascending")]
    order = pc.sort_indices(decisions, sort_keys=keys)
    decisions = decisions.take(order)
    first: dict[tuple[str, str], tuple[str, str]] = {}
    keep, retried = [], []
    for trace, span, *meant in zip(
        *(decisions[name].to_pylist() for name in ("trace_id", "root_span_id")),
        *(decisions[name].to_pylist() for name in ("decision_id", "action")),
        strict=True,
    ):
        keep.append((trace, span) not in first)
        retried.append(not keep[-1] and first[trace, span] == tuple(meant))
        first.setdefault((trace, span), (meant[0], meant[1]))
    return decisions.filter(pa.array(keep, pa.bool_())), decisions.filter(
        pa.array(retried, pa.bool_())
    )


def without(decisions: Table, others: Table) -> Table:
    """Return the decisions whose root is none of the known ones'."""
    roots = set(
        zip(others["trace_id"].to_pylist(), others["root_span_id"].to_pylist(), strict=True)
    )
    ours = zip(
        decisions["trace_id"].to_pylist(), decisions["root_span_id"].to_pylist(), strict=True
    )
    return decisions.filter(pa.array([each not in roots for each in ours], pa.bool_()))
