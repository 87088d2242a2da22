"""Pure: what was computed -> rows of `path_spans` and `attributions`, as Arrow tables."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.config import AttributionConfig
from attribution.core.segments import CLASSES, SEGMENTS, STAGES
from attribution.path.columns import Column, Table, names_of, roots_from_table, spans_from_table
from attribution.path.critical_path import CriticalPath
from attribution.path.spans import Bools, Ints
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
_SECTION = pa.struct([("1", pa.uint64()), ("2", pa.uint64())])


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


def attribution_rows(done: Attributed) -> Table:
    """Return rows of `attributions` without `revision` and `computed_ns`."""
    d = done.decisions
    span_count = np.bincount(done.trees.decision, minlength=len(d))
    bits, code = np.unique(done.flags, return_inverse=True)
    names = pa.array([flag_names(each) for each in bits.tolist()], pa.list_(pa.string()))
    return pa.table(
        {
            "ingress_ns": d["ingress_ns"].cast(pa.uint64()),
            "decision_id": d["decision_id"],
            **{name: d[name] for name in ("trace_id", "action", "region", "channel", "cohort")},
            "total_ns": pa.array(done.budgets.total_ns).cast(pa.uint64()),
            **{
                name: pa.array(done.budgets.segment_ns[:, at]).cast(pa.uint64())
                for at, name in enumerate(SEGMENT_COLUMNS)
            },
            "span_count": pa.array(span_count).cast(pa.uint32()),
            "flags": names.take(pa.array(code)),
            "is_error": d["is_error"],
        }
    )


def path_rows(done: Attributed, revisions: Ints, wanted: Bools) -> Table:
    """Return rows of `path_spans` of the wanted decisions.

    Args:
        done: what was computed.
        revisions: the revision of each decision.
        wanted: which decisions to write.
    """
    trees, path = done.trees, done.path
    keep = np.flatnonzero(wanted[trees.decision])
    decision = trees.decision[keep]
    source = done.spans.take(pa.array(trees.row[keep]))
    hexes = done.spans["span_hex"].combine_chunks().take(pa.array(trees.row))
    parent = trees.parent[keep]
    parents = hexes.take(pa.array(parent, mask=parent < 0))
    stage = names_of(done.budgets.span_stage[keep], STAGES)
    return pa.table(
        {
            "ingress_ns": done.decisions["ingress_ns"].take(pa.array(decision)).cast(pa.uint64()),
            "decision_id": done.decisions["decision_id"].take(pa.array(decision)),
            "revision": pa.array(revisions[decision]).cast(pa.uint32()),
            "trace_id": source["trace_id"],
            "span_id": source["span_hex"],
            "parent_span_id": pc.fill_null(parents, ""),
            "service_name": source["service_name"],
            "span_name": source["span_name"],
            "span_kind": source["span_kind"],
            "start_ns": source["start_ns"].cast(pa.uint64()),
            "duration_ns": pc.subtract(source["end_ns"], source["start_ns"]).cast(pa.uint64()),
            "shift_ns": pa.array(trees.shift_ns[keep]),
            "clock_bound_ns": _known(trees.bound_ns[keep]),
            "on_path": pa.array(path.on_path[keep].astype(np.uint8)),
            "self_ns": pa.array(path.self_ns[keep]).cast(pa.uint64()),
            "stage": stage,
            "class": names_of(done.span_class[keep].astype(np.int64), CLASSES),
            "sections": _section_lists(path, len(trees)).take(pa.array(keep)),
        }
    )


def _known(values: Ints) -> Column:
    """Return a column of these values, null where one is unknown."""
    return pa.array(values, mask=values < 0).cast(pa.uint64())


def _section_lists(path: CriticalPath, rows: int) -> Column:
    order = np.argsort(path.section_row, kind="stable")
    offsets = np.zeros(rows + 1, np.int64)
    np.cumsum(np.bincount(path.section_row, minlength=rows), out=offsets[1:])
    pairs = pa.StructArray.from_arrays(
        [
            pa.array(path.section_from_ns[order]).cast(pa.uint64()),
            pa.array(path.section_to_ns[order]).cast(pa.uint64()),
        ],
        fields=list(_SECTION),
    )
    return pa.ListArray.from_arrays(pa.array(offsets).cast(pa.int32()), pairs)
