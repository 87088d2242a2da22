"""Pure: what is stored -> what was computed, and from that rows of `attributions`."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from attribution.core.config import AttributionConfig
from attribution.core.segments import SEGMENTS
from attribution.path.columns import Table, roots_from_table, spans_from_table
from attribution.path.split import Attributed, Inputs, attribute_columns, flag_names

SEGMENT_COLUMNS = tuple(f"{stage}_{latency_class}_ns" for stage, latency_class in SEGMENTS)
# What says whether a result changed; `computed_ns` and `revision` follow from it.
RESULT_COLUMNS = (
    "trace_id",
    "action",
    "region",
    "channel",
    "cohort",
    "total_ns",
    *SEGMENT_COLUMNS,
    "span_count",
    "flags",
    "is_error",
)


def attribute(decisions: Table, spans: Table, config: AttributionConfig) -> Attributed:
    """Split the latency of these decisions.

    Args:
        decisions: as `sql/decisions.sql` returns them.
        spans: as `sql/spans.sql` returns them, all spans that may belong to them.
        config: classes by rule, and the largest shift.
    """
    roots = roots_from_table(decisions, spans)
    columns, links, labels = spans_from_table(spans, decisions)
    return attribute_columns(Inputs(decisions, spans, roots, columns, links, labels), config)


def attribution_rows(attributed: Attributed) -> Table:
    """Return rows of `attributions` without `revision` and `computed_ns`."""
    d = attributed.decisions
    span_count = np.bincount(attributed.trees.decision, minlength=len(d))
    bits, code = np.unique(attributed.flags, return_inverse=True)
    names = pa.array([flag_names(each) for each in bits.tolist()], pa.list_(pa.string()))
    return pa.table(
        {
            "ingress_ns": d["ingress_ns"].cast(pa.uint64()),
            "decision_id": d["decision_id"],
            **{name: d[name] for name in ("trace_id", "action", "region", "channel", "cohort")},
            "total_ns": pa.array(attributed.budgets.total_ns).cast(pa.uint64()),
            **{
                name: pa.array(attributed.budgets.segment_ns[:, index]).cast(pa.uint64())
                for index, name in enumerate(SEGMENT_COLUMNS)
            },
            "span_count": pa.array(span_count).cast(pa.uint32()),
            "flags": names.take(pa.array(code)),
            "is_error": d["is_error"],
        }
    )
