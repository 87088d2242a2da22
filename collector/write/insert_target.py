"""Pure: where requests and blocks of a log go into the store, and with which settings."""

from __future__ import annotations

from typing import Any, Final

from collector.otlp.check import Signal, load_schema

TABLES: Final = {
    Signal.TRACES: "otlp_traces_in",
    Signal.LOGS: "otlp_logs_in",
    Signal.METRICS: "otlp_metrics_in",
}

_SETTINGS: Final[dict[str, Any]] = {
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
    # Readers take the newest row of an id. To leave no other in a block copies each row once more.
    "optimize_on_insert": 0,
    "async_insert": 0,
}
# A block goes in as it is, under one token.
BLOCK_SETTINGS: Final[dict[str, Any]] = {
    **_SETTINGS,
    "max_insert_block_size": 100_000_000,
    "min_insert_block_size_rows": 0,
    "min_insert_block_size_bytes": 0,
    # Those of otel_decision_spans are some of a span's.
    "input_format_skip_unknown_fields": 1,
}


def insert_settings(signal: Signal) -> dict[str, Any]:
    """Return the settings of an insert of requests as they are, except its token."""
    return {
        **_SETTINGS,
        "format_schema_source": "string",
        "format_schema": load_schema(signal),
        "format_schema_message_name": signal.request_class.DESCRIPTOR.name,
        # Without it the stored values of attributes are empty, and no error says so.
        "input_format_protobuf_oneof_presence": 1,
        # One block an insert: bytes that cannot be parsed then mean that nothing was stored.
        "input_format_parallel_parsing": 0,
    }
