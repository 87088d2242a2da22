-- Why: decisions that were taken out of every sum because of what their seal says, and those put back, so that what
-- is not counted is seen; each with what it would have been worth
-- Sorted: decision
-- Read by: attribution, which counts their seconds anew; dashboard (provenance). Always with FINAL
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS withdrawals${local} ${on_cluster} (
    ingress_ns UInt64 CODEC(Delta(8), ZSTD(1)),
    decision_id String CODEC(ZSTD(1)),
    trace_id String CODEC(ZSTD(1)),
    root_span_id String CODEC(ZSTD(1)),
    received_ns UInt64 CODEC(Delta(8), ZSTD(1)) COMMENT 'when its span arrived',
    withdrawn_ns UInt64 CODEC(Delta(8), ZSTD(1)) COMMENT 'when it was taken out or put back last',
    is_back UInt8 COMMENT '1 where it counts again',
    verdict LowCardinality(String),
    reason LowCardinality(String),
    value_usd Nullable(Decimal(18, 6)) CODEC(ZSTD(1)),
    INDEX idx_withdrawn withdrawn_ns TYPE minmax GRANULARITY 1
) ENGINE = ${replicated}ReplacingMergeTree(withdrawn_ns)
PARTITION BY toDate(toDateTime(intDiv(ingress_ns, 1000000000)))
ORDER BY (ingress_ns, decision_id, trace_id, root_span_id, received_ns)
TTL toDateTime(intDiv(ingress_ns, 1000000000)) + INTERVAL 30 DAY
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1
