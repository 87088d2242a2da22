-- Why: every span of a decision as assembled: where it hangs, its self time on the critical path, stage and class
-- Sorted: ingress time, decision
-- Read by: dashboard (waterfall). Rows of the highest revision of a decision only
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS path_spans${local} ${on_cluster} (
    ingress_ns UInt64 CODEC(Delta(8), ZSTD(1)),
    decision_id String CODEC(ZSTD(1)),
    revision UInt32,
    trace_id String CODEC(ZSTD(1)),
    span_id String CODEC(ZSTD(1)),
    parent_span_id String CODEC(ZSTD(1)) COMMENT 'as assembled: an orphan hangs under the root',
    service_name LowCardinality(String),
    span_name LowCardinality(String),
    span_kind LowCardinality(String),
    start_ns UInt64 CODEC(Delta(8), ZSTD(1)) COMMENT 'as sent, before the shift',
    duration_ns UInt64 CODEC(ZSTD(1)),
    shift_ns Int64 CODEC(ZSTD(1)) COMMENT 'skew correction, an overlay: raw times are never altered',
    clock_bound_ns Nullable(UInt64) COMMENT '0 where one clock stamped a span and its parent, null where the bound is unknown',
    on_path UInt8,
    self_ns UInt64 CODEC(ZSTD(1)) COMMENT 'time on the critical path, 0 off it',
    stage LowCardinality(String),
    class LowCardinality(String),
    sections Array(Tuple(UInt64, UInt64)) CODEC(ZSTD(1)) COMMENT 'half-open, Unix ns after the shift',
    INDEX idx_decision_id decision_id TYPE bloom_filter(0.001) GRANULARITY 1
) ENGINE = ${replicated}ReplacingMergeTree(revision)
PARTITION BY toDate(toDateTime(intDiv(ingress_ns, 1000000000)))
ORDER BY (ingress_ns, decision_id, span_id)
TTL toDateTime(intDiv(ingress_ns, 1000000000)) + INTERVAL 30 DAY
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
