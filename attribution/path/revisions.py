"""Pure: whether results differ from those stored before, and what differs from one to the next."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.path.columns import Column, Table, ints
from attribution.path.rows import RESULT_COLUMNS
from attribution.path.spans import Bools, Ints

DecisionKey: TypeAlias = tuple[int, str]  # ingress_ns, decision_id

_CHANGE = pa.struct([("name", pa.string()), ("before", pa.string()), ("after", pa.string())])
_TEXTS = pa.list_(pa.string())


@dataclass(frozen=True, slots=True)
class Revisions:
    """What became of each of a batch of decisions."""

    revision: Ints
    is_new: Bools  # it differs from what is stored
    before: Table  # what is stored, row by row; null where nothing was

    @property
    def is_revised(self) -> Bools:
        """Return which decisions had another result before."""
        was_there: Bools = self.before["revision"].is_valid().to_numpy(zero_copy_only=False)
        return self.is_new & was_there

    def only(self, is_wanted: Bools) -> Revisions:
        """Return the result of some of them."""
        return Revisions(
            self.revision[is_wanted],
            self.is_new[is_wanted],
            self.before.filter(pa.array(is_wanted)),
        )


def revisions_of(rows: Table, stored: Table) -> Revisions:
    """Compare results with those stored before.

    Args:
        rows: of `attributions`, as just computed.
        stored: what was written before, of at least these decisions.
    """
    before = stored.take(pc.index_in(_keys(rows), value_set=_keys(stored)))
    same = pa.array(np.ones(len(rows), bool))
    for name in RESULT_COLUMNS:
        ours, theirs = _comparable(rows[name]), _comparable(before[name])
        same = pc.and_(same, pc.equal(ours.cast(theirs.type), theirs))
    is_new: Bools = ~_whole(pc.fill_null(same, False)).to_numpy(zero_copy_only=False)
    stored_revision = ints(pc.fill_null(before["revision"].cast(pa.int64()), 0))
    return Revisions(stored_revision + is_new, is_new, before)


def revision_rows(
    rows: Table,
    revisions: Revisions,
    spans_before: Mapping[DecisionKey, Set[str]],
    spans_after: Mapping[DecisionKey, Set[str]],
) -> Table:
    """Return rows of `attribution_revisions` without `computed_ns`: one a revised decision.

    Args:
        rows: of `attributions`, as just computed.
        revisions: how they compare with those stored before.
        spans_before: ids of the spans by decision, where they were looked up.
        spans_after: the same, as just assembled.
    """
    revised = np.flatnonzero(revisions.is_revised)
    now, before = rows.take(pa.array(revised)), revisions.before.take(pa.array(revised))
    keys: list[DecisionKey] = list(
        zip(now["ingress_ns"].to_pylist(), now["decision_id"].to_pylist(), strict=True)
    )
    sets = [(spans_before.get(key, set()), spans_after.get(key, set())) for key in keys]
    return pa.table(
        {
            "ingress_ns": now["ingress_ns"],
            "decision_id": now["decision_id"],
            "revision": pa.array(revisions.revision[revised]).cast(pa.uint32()),
            "action": now["action"],
            "region": now["region"],
            "changes": _changes(now, before),
            "spans_added": pa.array([sorted(new - old) for old, new in sets], _TEXTS),
            "spans_removed": pa.array([sorted(old - new) for old, new in sets], _TEXTS),
        }
    )


def _changes(now: Table, before: Table) -> Column:
    """Return by row a list of the columns that differ, with both values as texts."""
    row, column, old, new = [], [], [], []
    for place, name in enumerate(RESULT_COLUMNS):
        ours, theirs = _text(now[name]), _text(before[name])
        differs = np.flatnonzero(pc.not_equal(ours, theirs).to_numpy(zero_copy_only=False))
        row.append(differs)
        column.append(np.full(len(differs), place))
        old.append(theirs.take(pa.array(differs)))
        new.append(ours.take(pa.array(differs)))
    rows, columns = np.concatenate(row), np.concatenate(column)
    order = np.lexsort((columns, rows))
    values = pa.StructArray.from_arrays(
        [
            pa.array(RESULT_COLUMNS, pa.string()).take(pa.array(columns[order])),
            pa.concat_arrays(old).take(pa.array(order)),
            pa.concat_arrays(new).take(pa.array(order)),
        ],
        fields=list(_CHANGE),
    )
    ends = np.searchsorted(rows[order], np.arange(len(now) + 1))
    return pa.ListArray.from_arrays(pa.array(ends.astype(np.int32)), values)


def _text(column: Column) -> Column:
    return _whole(pc.cast(_comparable(column), pa.string()))


def _keys(table: Table) -> Column:
    ingress = _whole(table["ingress_ns"].cast(pa.string()))
    return pc.binary_join_element_wise(ingress, _whole(table["decision_id"]), "/")


def _comparable(column: Column) -> Column:
    """Return a column that can be compared: texts as texts, lists of them as one text."""
    if pa.types.is_list(column.type):
        return pc.binary_join(column.cast(pa.list_(pa.string())), ",")
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


def _whole(column: Column) -> Column:
    """Return a column in one piece."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
