"""I/O: a view once more over rows that are stored, where it would take them by now.

A view sees what is inserted, once. A decision that it refused, because its schema was not known or
a name was not mapped yet, is in `otel_traces` or `otel_logs` all the same, so nothing has to be
received again: the view's own statement, as the store has it, is run over those rows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from clickhouse_connect.driver.client import Client

from collector.core.errors import StoreUnavailableError
from collector.core.sql import fill, sql

_SELECT_OF: Final = sql("view_select", __file__)
_SOURCE: Final = re.compile(r"\bFROM (?:`?\w+`?\.)?`?(otel_decision_spans|otel_logs)(?:_local)?`?")
# Where the rows lie that a view is given as they are stored.
_STORED: Final = {"otel_decision_spans": "otel_traces", "otel_logs": "otel_logs"}

# Rows of one span, or the outcomes of one request; with a new time of arrival, by which jobs find
# what they have not seen.
_ROWS: Final = {
    "otel_traces": (
        "(SELECT * REPLACE({now_ns:UInt64} AS received_ns) FROM (SELECT * FROM otel_traces "
        "WHERE received_ns = {received_ns:UInt64} "
        "AND concat(TraceId, ':', SpanId) = {item_id:String} LIMIT 1))"
    ),
    "otel_logs": (
        "(SELECT * REPLACE({now_ns:UInt64} AS received_ns) FROM (SELECT * FROM otel_logs "
        "WHERE received_ns = {received_ns:UInt64}))"
    ),
}
# What was sent of a span, told by every byte: two copies may have come at one instant.
SPAN_CONTENT: Final = sql("span_content", __file__)
OUTCOME_CONTENT: Final = sql("outcome_content", __file__)
_SPANS: Final = fill(
    "(SELECT * FROM otel_traces WHERE TraceId IN {trace_ids:Array(String)} "
    "AND (TraceId, SpanId, received_ns) IN arrayZip("
    "{trace_ids:Array(String)}, {span_ids:Array(String)}, {received_ns:Array(UInt64)}) "
    "AND ${content} IN {contents:Array(String)})",
    content=SPAN_CONTENT,
)
_RECORDS: Final = fill(
    "(SELECT * FROM otel_logs WHERE received_ns IN {received_ns:Array(UInt64)} "
    "AND ${content} IN {contents:Array(String)})",
    content=OUTCOME_CONTENT,
)
_KEYS: Final = {
    "decisions": "(ingress_ns, decision_id)",
    "outcomes": "(outcome_id, event_ns)",
}


# Filled with the texts above and with a statement that the store itself has; values are bound.
_COUNT: Final = "SELECT count() FROM (${select})"
_EMPTY: Final = "SELECT * FROM (${select}) LIMIT 0"
_ALL: Final = "SELECT * FROM ${rows}"
_REFUSED: Final = "SELECT reason_code, detail FROM (${select}) WHERE item_id = {item_id:String}"
_NEW: Final = (
    "SELECT * FROM (${select}) WHERE ${key} NOT IN "
    "(SELECT ${key} FROM ${target} WHERE ${key} IN (SELECT ${key} FROM (${select})))"
)
_DECISION_KEYS: Final = "SELECT ingress_ns, decision_id FROM (${select})"
_INSERT: Final = "INSERT INTO ${target} (${columns}) ${select}"

Parameters = Mapping[str, object]  # received_ns, item_id and now_ns


def count_source_rows(client: Client, source: str, parameters: Parameters) -> int:
    """Return how many rows there are to run a view over."""
    return _count(client, fill(_ALL, rows=_ROWS[source]), parameters)


def still_rejected(client: Client, view: str, parameters: Parameters) -> list[tuple[str, str]]:
    """Return reason and detail of what a view that fills `rejected` would say of the item now."""
    text = fill(_REFUSED, select=_over(client, view))
    return [
        (str(r), str(d)) for r, d in client.query(text, parameters=dict(parameters)).result_rows
    ]


def rerun(client: Client, view: str, target: str, parameters: Parameters, *, dry_run: bool) -> int:
    """Insert what a view makes of the rows and its target does not have; return how many they are.

    The target replaces rows of one key, so that two at once change nothing either.
    """
    select = fill(_NEW, key=_KEYS[target], target=target, select=_over(client, view))
    count = _count(client, select, parameters)
    if count and not dry_run:
        _insert(client, target, select, parameters)
    return count


def rerun_spans(client: Client, spans: Parameters) -> None:
    """Insert the decisions that these spans are, as they were received, where there are none.

    Args:
        client: of the store.
        spans: trace_ids, span_ids, received_ns and contents, as SPAN_CONTENT has it, of each.
    """
    select = _over(client, "decisions_mv", _SPANS)
    _insert(
        client,
        "decisions",
        fill(_NEW, key=_KEYS["decisions"], target="decisions", select=select),
        spans,
    )


def rerun_outcomes(client: Client, records: Parameters) -> None:
    """Insert the outcomes that these log records are, as they were received, where there are none.

    Args:
        client: of the store.
        records: received_ns and contents, as OUTCOME_CONTENT has it, of all of them.
    """
    select = _over(client, "outcomes_mv", _RECORDS)
    _insert(
        client,
        "outcomes",
        fill(_NEW, key=_KEYS["outcomes"], target="outcomes", select=select),
        records,
    )


def decision_keys(client: Client, spans: Parameters) -> list[tuple[int, str]]:
    """Return the ingress and the id of the decisions that these spans are."""
    text = fill(_DECISION_KEYS, select=_over(client, "decisions_mv", _SPANS))
    rows = client.query(text, parameters=dict(spans)).result_rows
    return [(int(ingress_ns), str(decision_id)) for ingress_ns, decision_id in rows]


def _insert(client: Client, target: str, select: str, parameters: Parameters) -> None:
    empty = client.query(fill(_EMPTY, select=select), parameters=dict(parameters))
    columns = ", ".join(empty.column_names)
    text = fill(_INSERT, target=target, columns=columns, select=select)
    # What was put in and taken away before may be put in again, of however many days.
    settings = {"insert_deduplicate": 0, "max_partitions_per_insert_block": 0}
    client.command(text, parameters=dict(parameters), settings=settings)


def _over(client: Client, view: str, rows: str = "") -> str:
    """Return the statement of a view over the chosen rows instead of its source."""
    rows_of_view = client.query(_SELECT_OF, parameters={"view": view}).result_rows
    if not rows_of_view:
        raise StoreUnavailableError(f"the store has no view {view}; run `millworth migrate`")
    return _SOURCE.sub(
        lambda match: f"FROM {rows or _ROWS[_STORED[match[1]]]}", str(rows_of_view[0][0])
    )


def _count(client: Client, select: str, parameters: Parameters) -> int:
    text = fill(_COUNT, select=select)
    return int(client.query(text, parameters=dict(parameters)).result_rows[0][0])
