"""Pure: where the bytes of a log go into the store, and with which settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from collector.otlp.check import Signal, load_schema

_TABLES = {
    Signal.TRACES: "otlp_traces_in",
    Signal.LOGS: "otlp_logs_in",
    Signal.METRICS: "otlp_metrics_in",
}
_SCALAR_SPANS_TABLE = "otlp_spans_in"


@dataclass(frozen=True, slots=True)
class Entrance:
    """Where log bytes go in, and how."""

    table: str
    settings: Mapping[str, Any]  # but the token
    token_suffix: str  # the store knows a token by the table that it came through

    @classmethod
    def of(cls, signal: Signal, *, scalar: bool = False) -> Entrance:
        """Return that of a signal; `scalar` of spans whose every attribute value is one."""
        if not scalar:
            return cls(_TABLES[signal], insert_settings(signal), "")
        return cls(_SCALAR_SPANS_TABLE, insert_settings(signal, scalar=True), ":scalar")


def insert_settings(signal: Signal, *, scalar: bool = False) -> dict[str, Any]:
    """Return the settings of an insert of log bytes, except its token."""
    return {
        "format_schema_source": "string",
        "format_schema": load_schema(signal, scalar=scalar),
        "format_schema_message_name": signal.request_class.DESCRIPTOR.name,
        # Without it the stored values of attributes are empty, and no error says so.
        "input_format_protobuf_oneof_presence": 1,
        # One block an insert: bytes that cannot be parsed then mean that nothing was stored.
        "input_format_parallel_parsing": 0,
        # Many days in one segment are no reason to refuse it.
        "max_partitions_per_insert_block": 0,
        # A replay passes every table of the chain, and each knows what it has.
        "deduplicate_blocks_in_dependent_materialized_views": 1,
        # The bloom filter of the trace id costs 0.6 us a span here and no less at the first merge,
        # which comes soon; until then a look-up reads the ids of the newest parts.
        "materialize_skip_indexes_on_insert": 0,
        # There is nothing to find a better way for, and to look for one is a tenth of what a small
        # insert costs.
        "query_plan_enable_optimizations": 0,
        "async_insert": 0,
    }
