"""Pure: Arrow tables <-> the columns that the cores compute on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.path.spans import (
    Bools,
    Ids,
    Ints,
    Links,
    Roots,
    Small,
    Spans,
    addresses_of,
    machine_codes,
)

# pyarrow ships no types; the columns of an answer are in the header of its query.
Table: TypeAlias = Any
Column: TypeAlias = Any

# Money is Decimal(18, 6) in the store and whole millionths of a dollar in the cores.
MONEY = pa.decimal128(18, 6)
# A decimal is 128 bits, little-endian; the top ones only repeat the sign.
_DECIMAL = np.dtype([("low", "<u4"), ("high", "<i8"), ("top", "<i4")])


def text_codes(column: Column) -> tuple[Ints, list[str]]:
    """Return a dense code of each value, and the values."""
    encoded = pc.dictionary_encode(column.combine_chunks())
    return ints(encoded.indices), encoded.dictionary.to_pylist()


def ranked_codes(column: Column) -> tuple[Ints, list[str]]:
    """Return a code of each value that sorts as the texts do, whatever their order; the values."""
    code, values = text_codes(column)
    ranked = sorted(values)
    rank = {value: index for index, value in enumerate(ranked)}
    return np.array([rank[value] for value in values], np.int64)[code], ranked


def spans_from_table(table: Table, decisions: Table) -> tuple[Spans, Links, list[tuple[str, str]]]:
    """Return spans, their links, and (service, span name) of each label code.

    Trace codes and decision codes are those that `roots_from_table` gives the same tables.
    """
    service, services = ranked_codes(table["service_name"])
    name, names = ranked_codes(table["span_name"])
    pair, label = np.unique(service * len(names) + name, return_inverse=True)
    host, hosts = ranked_codes(table["host"])
    trace_ids = _trace_ids(table)
    trace = _codes(table["trace_id"], trace_ids)
    spans = Spans(
        trace=trace,
        span_id=_ids(table["span_id"]),
        parent_id=_ids(table["parent_id"]),
        start_ns=ints(table["start_ns"]),
        end_ns=ints(table["end_ns"]),
        kind=_small(table["kind"]),
        service=service,
        label=label.astype(np.int64),
        host=machine_codes(hosts, host, trace),
        clock_error_ns=ints(table["clock_error_ns"]),
        latency_class=_small(table["latency_class"]),
        stage=_small(table["stage"]),
        blocking=_small(table["blocking"]),
        is_store=_bools(table["is_store"]),
        is_receive=_bools(table["is_receive"]),
        decision=_codes(table["decision_id"], _decision_ids(decisions)),
        received_ns=ints(table["received_ns"]),
        content=_ids(table["content"]),
        addresses=addresses_of(hosts),
    )
    links = table["link_traces"].combine_chunks()
    linked_spans = pc.list_flatten(table["link_spans"].combine_chunks())
    return (
        spans,
        Links(
            row=ints(pc.list_parent_indices(links)),
            trace=_codes(pc.list_flatten(links), trace_ids),
            span_id=_ids(linked_spans),
        ),
        [(services[code // len(names)], names[code % len(names)]) for code in pair.tolist()],
    )


def traces_with_repeats(spans: Table) -> Column:
    """Return the traces of which a span id is there more than once, each once."""
    span_id = _ids(spans["span_id"])
    order = np.argsort(span_id, kind="stable")
    ordered = span_id[order]
    is_twin = ordered[1:] == ordered[:-1]
    if not is_twin.any():
        return pc.unique(spans["trace_id"].slice(0, 0))
    met = spans.select(["trace_id", "span_id"]).take(
        pa.array(order[np.append(is_twin, False) | np.append(False, is_twin)])
    )
    counted = met.group_by(["trace_id", "span_id"]).aggregate([([], "count_all")])
    return pc.unique(counted.filter(pc.greater(counted["count_all"], 1))["trace_id"])


def roots_from_table(decisions: Table, spans: Table) -> Roots:
    """Return the roots of these decisions; a root whose trace is not at hand has trace NONE."""
    return Roots(
        trace=_codes(decisions["trace_id"], _trace_ids(spans)),
        span_id=_ids(decisions["span_id"]),
        decision=_codes(decisions["decision_id"], _decision_ids(decisions)),
        **{
            name: ints(decisions[name])
            for name in (
                "ingress_ns",
                "start_ns",
                "end_ns",
                "transform_ns",
                "decision_ns",
                "egress_ns",
            )
        },
    )


def micros(column: Column) -> tuple[Ints, Bools]:
    """Return a Decimal(_, 6) column as millionths, and where it is known.

    They are 0 where it is null, or beyond 64 bits, which no amount of a decision or a second is.
    """
    words, is_known = _words(column)
    is_held = is_known & (words["high"] == words["high"].astype(np.int32))
    return np.where(is_held, (words["high"] << 32) + words["low"], 0), is_held


def micros_in_halves(column: Column) -> Ints:
    """Return a Decimal(_, 6) column as millionths, high and low side by side, 0 where it is null.

    Sums of sums may be beyond 64 bits; `earned_window.whole` says what they are.
    """
    words, is_known = _words(column)
    return np.where(is_known[:, None], np.stack([words["high"], words["low"]], axis=-1), 0)


def _words(column: Column) -> tuple[Column, Bools]:
    array = column.combine_chunks()
    is_known = np.asarray(pc.is_valid(array).to_numpy(zero_copy_only=False), bool)
    words = np.frombuffer(array.buffers()[1] or b"", _DECIMAL)
    return words[array.offset : array.offset + len(array)], is_known


def money(values: Ints) -> Column:
    """Return millionths as a Decimal(18, 6) column."""
    words = np.stack([values, values >> 63], axis=1).astype(np.int64)
    return pa.Array.from_buffers(MONEY, len(values), [None, pa.py_buffer(words.tobytes())])


def names_of(codes: Ints, names: Sequence[str]) -> Column:
    """Return a text column of these codes."""
    return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(names, pa.string())).cast(
        pa.string()
    )


def _trace_ids(spans: Table) -> Column:
    return _sorted(pc.unique(spans["trace_id"]))


def _decision_ids(decisions: Table) -> Column:
    return _sorted(pc.unique(decisions["decision_id"]))


def _sorted(values: Column) -> Column:
    """Return values in their own order: a code must not depend on which was read first."""
    return values.take(pc.array_sort_indices(values))


def _codes(column: Column, values: Column) -> Ints:
    return ints(pc.fill_null(pc.index_in(column, value_set=values), -1))


def _ids(column: Column) -> Ids:
    return np.asarray(_plain(column), np.uint64)


def ints(column: Column) -> Ints:
    """Return a column of whole numbers."""
    return np.asarray(_plain(column), np.int64)


def _small(column: Column) -> Small:
    return np.asarray(_plain(column), np.int8)


def _bools(column: Column) -> Bools:
    return np.asarray(_plain(column), np.bool_)


def _plain(column: Column) -> Column:
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    return column.to_numpy(zero_copy_only=False)
