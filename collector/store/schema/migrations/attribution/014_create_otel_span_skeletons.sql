-- Why: what attribution reads of a span, ids, times, machine and codes, a few dozen bytes in place of a row of otel_traces
-- with its maps. The collector fills it from the same block, so that no query takes a map apart
-- (docs/adr/013-skeletons-of-spans.md)
-- Sorted: the few spans with a link or the id of a decision apart, so that whoever asks for those reads no others; then
-- second of arrival and trace: a job reads what arrived as two ranges, the spans of a trace side by side
-- Read by: attribution
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS otel_span_skeletons${local} ${on_cluster} (
    is_tied UInt8 COMMENT 'it has a link, or the id of a decision',
    received_ns UInt64 CODEC(Delta(8), ZSTD(1)),
    trace_id String CODEC(ZSTD(1)),
    span_id UInt64 CODEC(NONE) COMMENT 'big-endian, so that numbers sort as the hex text does',
    parent_id UInt64 CODEC(LZ4) COMMENT '0 for none',
    start_ns Int64 CODEC(Delta(8), ZSTD(1)),
    end_ns Int64 CODEC(Delta(8), ZSTD(1)),
    service_name LowCardinality(String),
    span_name LowCardinality(String),
    host LowCardinality(String) COMMENT 'the machine whose clock stamped it',
    clock_error_ns Int64 CODEC(ZSTD(1)) COMMENT '-1 where the resource does not say',
    kind Int8 CODEC(ZSTD(1)),
    latency_class Int8 CODEC(ZSTD(1)) COMMENT 'as sent: network, compute, store; -1 for none',
    stage Int8 CODEC(ZSTD(1)) COMMENT 'as sent: ingress, transform, decision, egress; -1 for none',
    blocking Int8 CODEC(ZSTD(1)) COMMENT 'as sent; -1 for none',
    is_store UInt8 CODEC(ZSTD(1)),
    is_receive UInt8 CODEC(ZSTD(1)),
    decision_id String CODEC(ZSTD(1)) COMMENT 'that the span carries, empty for none',
    link_traces Array(String) CODEC(ZSTD(1)),
    link_spans Array(UInt64) CODEC(ZSTD(1)),
    INDEX idx_received received_ns TYPE minmax GRANULARITY 1,
    INDEX idx_start start_ns TYPE minmax GRANULARITY 1
) ENGINE = ${replicated}MergeTree
PARTITION BY toDate(toDateTime(intDiv(start_ns, 1000000000)))
PRIMARY KEY (is_tied, intDiv(received_ns, 1000000000), trace_id)
ORDER BY (is_tied, intDiv(received_ns, 1000000000), trace_id)
TTL toDateTime(intDiv(end_ns, 1000000000)) + INTERVAL 30 DAY
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1, fsync_part_directory = 1,
    min_bytes_for_wide_part = 67108864
