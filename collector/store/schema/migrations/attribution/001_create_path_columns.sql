-- Why: a decision's tree in one row of small arrays, parents, classes and stages resolved: read again at 2 M
-- decisions of ten spans a second, where otel_traces needs every id looked up. Arrays have one value a span, in the
-- order of `parent`; a revision replaces all spans of a decision at once (docs/adr/016-a-row-a-decision.md)
-- Sorted: ingress time, decision
-- Read by: attribution (re-attribution of a range), dashboard (waterfall, by the view path_spans). Always with FINAL
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS path_columns${local} ${on_cluster} (
    ingress_ns UInt64 CODEC(Delta(8), LZ4),
    decision_id String CODEC(LZ4),
    revision UInt32 COMMENT 'of the attribution that was computed from these spans',
    trace_id String CODEC(LZ4),
    action LowCardinality(String),
    region LowCardinality(String),
    channel LowCardinality(String),
    cohort LowCardinality(String),
    is_error UInt8,
    flags UInt16 COMMENT 'bits; by name in attributions',
    base_ns UInt64 CODEC(Delta(8), LZ4) COMMENT 'start of the first span, after the shift',
    transform_ns UInt64 CODEC(Delta(8), LZ4) COMMENT 'begin of the stage, Unix ns; a stage that takes no time begins with the next',
    decision_ns UInt64 CODEC(Delta(8), LZ4) COMMENT 'likewise',
    egress_ns UInt64 CODEC(Delta(8), LZ4) COMMENT 'likewise',
    end_ns UInt64 CODEC(Delta(8), LZ4),
    parent Array(UInt32) CODEC(LZ4) COMMENT 'index in these arrays; the root is the first and names itself, an orphan hangs under the root',
    offset_ns Array(UInt32) CODEC(LZ4) COMMENT 'start after the shift, from base_ns; low 32 bits',
    duration_ns Array(UInt32) CODEC(LZ4) COMMENT 'low 32 bits',
    traits Array(UInt8) CODEC(LZ4) COMMENT 'class, 2 bits; stage as sent plus one, 3 bits; whether its parent waited, 1 bit',
    long_ns Array(UInt64) CODEC(LZ4) COMMENT 'offsets, then durations, where one is longer than 4.29 s; else empty',
    span_id Array(UInt64) CODEC(NONE) COMMENT 'big-endian, so that numbers sort as the hex text does',
    parent_id Array(UInt64) CODEC(ZSTD(1)) COMMENT 'span_id of the parent, 0 for the root',
    span_trace Array(String) CODEC(ZSTD(1)) COMMENT 'empty where all spans are of trace_id',
    service_name Array(LowCardinality(String)),
    span_name Array(LowCardinality(String)),
    marks Array(UInt8) CODEC(ZSTD(1)) COMMENT 'kind, 3 bits; stage that it counts to, 2 bits; on the critical path, 1 bit',
    shift_ns Array(Int64) CODEC(ZSTD(1)) COMMENT 'skew correction, an overlay: raw times are never altered',
    clock_bound_ns Array(Int64) CODEC(ZSTD(1)) COMMENT '0 where one clock stamped a span and its parent, -1 where the bound is unknown',
    self_ns Array(UInt64) CODEC(ZSTD(1)) COMMENT 'time on the critical path, 0 off it',
    sections Array(Array(Tuple(Int64, Int64))) CODEC(ZSTD(1)) COMMENT 'of the critical path; half-open, after the shift, from base_ns',
    INDEX idx_decision_id decision_id TYPE bloom_filter(0.001) GRANULARITY 1
) ENGINE = ${replicated}ReplacingMergeTree(revision)
PARTITION BY toDate(toDateTime(intDiv(ingress_ns, 1000000000)))
ORDER BY (ingress_ns, decision_id)
TTL toDateTime(intDiv(ingress_ns, 1000000000)) + INTERVAL 30 DAY
SETTINGS index_granularity = 2048, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
