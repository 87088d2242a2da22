"""Pure: what was computed -> rows of `path_columns` -> compact trees -> rows of `attributions`."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.compact import kernel
from attribution.compact.trees import CompactTrees, Packed, is_long, pack
from attribution.path.columns import Column, Table, ints
from attribution.path.rows import SEGMENT_COLUMNS
from attribution.path.spans import Bools, Ints
from attribution.path.split import Attributed, flag_names

# Compact trees -> latency of each decision by segment, as `kernel.Split.segment_ns`.
Kernel: TypeAlias = Callable[[CompactTrees], Ints]
Values: TypeAlias = "np.ndarray | Column"

_IDENTITY = ("trace_id", "action", "region", "channel", "cohort")
# Marks: the kind in three bits, the stage that a span counts to in two, whether it is on the path.
STAGE_SHIFT, PATH_SHIFT = 3, 5
_SECTION = pa.struct([("1", pa.int64()), ("2", pa.int64())])


def best_kernel() -> Kernel:
    """Return the kernel that numba compiles where the extra `accel` is installed, else NumPy's."""
    if find_spec("numba") is None:
        return kernel.segments
    from attribution.compact import kernel_numba

    return kernel_numba.segments


def packed_of(attributed: Attributed) -> Packed:
    """Return what was computed in the compact order."""
    roots = attributed.roots
    split = attributed.budgets
    return pack(attributed.trees, roots, split.bounds_ns, attributed.span_class, split.sent_stage)


def compact_rows(attributed: Attributed, revisions: Ints, is_wanted: Bools) -> Table:
    """Return rows of `path_columns` of the wanted decisions.

    Args:
        attributed: what was computed.
        revisions: the revision of each decision.
        is_wanted: which decisions to write.
    """
    d = attributed.decisions
    bounds = attributed.budgets.bounds_ns
    packed = packed_of(attributed)
    trees = packed.trees
    offsets = pa.array(trees.first.astype(np.int32))

    def lists(values: Values) -> Column:
        return pa.ListArray.from_arrays(
            offsets, pa.array(values) if isinstance(values, np.ndarray) else values
        )

    return pa.table(
        {
            "ingress_ns": d["ingress_ns"].cast(pa.uint64()),
            "decision_id": d["decision_id"],
            "revision": pa.array(revisions).cast(pa.uint32()),
            **{name: d[name] for name in _IDENTITY},
            "is_error": d["is_error"],
            "flags": pa.array(attributed.flags).cast(pa.uint16()),
            "base_ns": pa.array(packed.base_ns).cast(pa.uint64()),
            **{
                name: pa.array(np.ascontiguousarray(bounds[:, index])).cast(pa.uint64())
                for index, name in enumerate(
                    ("transform_ns", "decision_ns", "egress_ns", "end_ns"), 1
                )
            },
            "parent": lists(trees.parent),
            # The conversion keeps the low 32 bits; what they lose is in long_ns.
            "offset_ns": lists(trees.offset_ns.astype(np.uint32)),
            "duration_ns": lists(trees.duration_ns.astype(np.uint32)),
            "traits": lists(trees.traits),
            "long_ns": _long_lists(trees),
            **_span_lists(attributed, packed, lists),
        }
    ).filter(pa.array(is_wanted))


def _span_lists(
    attributed: Attributed, packed: Packed, lists: Callable[[Values], Column]
) -> dict[str, Column]:
    """Return what only readers of single spans ask for."""
    row, trees = packed.row, attributed.trees
    above = trees.parent[row]
    spans = attributed.spans.take(pa.array(trees.row[row]))
    marks = (
        ints(spans["kind"])
        | attributed.budgets.span_stage[row] << STAGE_SHIFT
        | attributed.path.on_path[row].astype(np.int64) << PATH_SHIFT
    )
    return {
        "span_id": lists(trees.span_id[row]),
        "parent_id": lists(np.where(above < 0, np.uint64(0), trees.span_id[above])),
        "span_trace": _trace_lists(attributed, packed, spans["trace_id"]),
        "service_name": lists(spans["service_name"].combine_chunks()),
        "span_name": lists(spans["span_name"].combine_chunks()),
        "marks": lists(marks.astype(np.uint8)),
        "shift_ns": lists(trees.shift_ns[row]),
        "clock_bound_ns": lists(trees.bound_ns[row]),
        "self_ns": lists(attributed.path.self_ns[row].astype(np.uint64)),
        "sections": lists(_section_lists(attributed, packed.base_ns).take(pa.array(row))),
    }


def _trace_lists(attributed: Attributed, packed: Packed, traces: Column) -> Column:
    """Return the traces of the spans of each decision that has one of another trace."""
    first = packed.trees.first
    decision = np.repeat(np.arange(len(packed.trees)), np.diff(first))
    own_traces = attributed.decisions["trace_id"].take(pa.array(decision))
    is_other = pc.not_equal(traces, own_traces).to_numpy()
    is_mixed = np.bincount(decision[is_other], minlength=len(packed.trees)) > 0
    ends = np.cumsum(np.where(is_mixed, np.diff(first), 0))
    return pa.ListArray.from_arrays(
        pa.array(np.append(0, ends).astype(np.int32)),
        traces.filter(pa.array(is_mixed[decision])).combine_chunks(),
    )


def _section_lists(attributed: Attributed, base_ns: Ints) -> Column:
    """Return the sections of each span, in the order of `Trees`, from the base of its decision."""
    path, rows = attributed.path, len(attributed.trees)
    order = np.argsort(path.section_row, kind="stable")
    offsets = np.zeros(rows + 1, np.int64)
    np.cumsum(np.bincount(path.section_row, minlength=rows), out=offsets[1:])
    from_ns = base_ns[attributed.trees.decision[path.section_row[order]]]
    pairs = pa.StructArray.from_arrays(
        [
            pa.array(path.section_from_ns[order] - from_ns),
            pa.array(path.section_to_ns[order] - from_ns),
        ],
        fields=list(_SECTION),
    )
    return pa.ListArray.from_arrays(pa.array(offsets).cast(pa.int32()), pairs)


def trees_from_rows(rows: Table) -> CompactTrees:
    """Return the trees of one chunk of `path_columns`, without a copy of what belongs to spans."""
    first = _values(rows["parent"].chunk(0).offsets).astype(np.int64)
    base_ns = _values(rows["base_ns"].chunk(0)).view(np.int64)
    bounds = np.empty((5, len(rows)), np.int64)
    for index, name in enumerate(
        ("ingress_ns", "transform_ns", "decision_ns", "egress_ns", "end_ns")
    ):
        np.subtract(_values(rows[name].chunk(0)).view(np.int64), base_ns, out=bounds[index])
    offset_ns, duration_ns = _spans(rows, "offset_ns"), _spans(rows, "duration_ns")
    long = rows["long_ns"].chunk(0)
    if len(long.values):
        offset_ns, duration_ns = offset_ns.astype(np.int64), duration_ns.astype(np.int64)
        lists = _values(long.offsets)
        for index in np.flatnonzero(np.diff(lists)).tolist():
            whole = _values(long.values)[lists[index] : lists[index + 1]].view(np.int64)
            span_rows = slice(first[index] - first[0], first[index + 1] - first[0])
            offset_ns[span_rows], duration_ns[span_rows] = np.split(whole, 2)
    return CompactTrees(
        first=first - first[0],
        parent=_spans(rows, "parent"),
        offset_ns=offset_ns,
        duration_ns=duration_ns,
        traits=_spans(rows, "traits"),
        bounds_ns=bounds,
    )


def recomputed_rows(rows: Table, segments: Kernel) -> Table:
    """Return rows of `attributions` without `revision` and `computed_ns`, computed anew.

    Args:
        rows: one chunk, as `sql/path_columns.sql` returns them.
        segments: the kernel.
    """
    trees = trees_from_rows(rows)
    segment_ns = segments(trees)
    total_ns = trees.bounds_ns[-1] - trees.bounds_ns[0]
    assert (segment_ns.sum(axis=0) == total_ns).all(), "the parts of a decision miss its total"
    return pa.table(
        {
            "ingress_ns": rows["ingress_ns"],
            "decision_id": rows["decision_id"],
            "trace_id": _trace_ids(rows),
            **{name: rows[name] for name in _IDENTITY[1:]},
            "total_ns": pa.array(total_ns.view(np.uint64)),
            **{
                name: pa.array(segment_ns[index].view(np.uint64))
                for index, name in enumerate(SEGMENT_COLUMNS)
            },
            "span_count": pa.array(np.diff(trees.first).astype(np.uint32)),
            "flags": _flag_lists(rows["flags"]),
            "is_error": rows["is_error"],
        }
    )


def _trace_ids(rows: Table) -> Column:
    others = rows["other_trace_id"]
    is_own = pc.equal(others, "")
    return (
        rows["decision_id"]
        if pc.all(is_own).as_py()
        else pc.if_else(is_own, rows["decision_id"], others)
    )


def _flag_lists(bits: Column) -> Column:
    encoded = pc.dictionary_encode(bits.combine_chunks())
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    names = [flag_names(each) for each in encoded.dictionary.to_pylist()]
    return pa.array(names, pa.list_(pa.string())).take(encoded.indices)


def _long_lists(trees: CompactTrees) -> Column:
    """Return offsets and durations in full of each decision that needs more than 32 bits."""
    ends = np.cumsum(np.where(is_long(trees), 2 * np.diff(trees.first), 0))
    long = np.flatnonzero(np.diff(ends, prepend=0))
    slices = [slice(trees.first[row], trees.first[row + 1]) for row in long.tolist()]
    parts = [part for each in slices for part in (trees.offset_ns[each], trees.duration_ns[each])]
    offsets = np.concatenate([[0], ends]).astype(np.int32)
    values = np.concatenate([np.empty(0, np.uint64), *parts]).astype(np.uint64)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values))


def _spans(rows: Table, name: str) -> np.ndarray:
    return _values(rows[name].chunk(0).flatten())


def _values(column: Column) -> np.ndarray:
    return np.asarray(column.to_numpy(zero_copy_only=False))
