-- Why: outcomes that were taken out of every sum because of what their seal says, and those put back, so that what
-- is not counted is seen; each with what it says was earned
-- Sorted: outcome
-- Read by: attribution, which counts their seconds anew; dashboard (provenance). Always with FINAL
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS withdrawn_outcomes${local} ${on_cluster} (
    outcome_id String CODEC(ZSTD(1)),
    event_ns UInt64 CODEC(Delta(8), ZSTD(1)) COMMENT 'when it happened; also its revision',
    received_ns UInt64 CODEC(Delta(8), ZSTD(1)) COMMENT 'when its record arrived',
    content_hash UInt64 COMMENT 'of the record: two may have come at one instant',
    subject String CODEC(ZSTD(1)) COMMENT 'what it says to be bound by; empty without a seal',
    decision_id String CODEC(ZSTD(1)),
    outcome_key String CODEC(ZSTD(1)),
    revenue Nullable(Decimal(18, 6)) CODEC(ZSTD(1)),
    margin Nullable(Decimal(18, 6)) CODEC(ZSTD(1)),
    currency LowCardinality(String),
    withdrawn_ns UInt64 CODEC(Delta(8), ZSTD(1)) COMMENT 'when it was taken out or put back last',
    is_back UInt8 COMMENT '1 where it counts',
    verdict LowCardinality(String),
    reason LowCardinality(String),
    INDEX idx_withdrawn withdrawn_ns TYPE minmax GRANULARITY 1
) ENGINE = ${replicated}ReplacingMergeTree(withdrawn_ns)
PARTITION BY toStartOfMonth(toDateTime(intDiv(event_ns, 1000000000)))
ORDER BY (outcome_id, event_ns, received_ns, content_hash)
TTL toDateTime(intDiv(event_ns, 1000000000)) + INTERVAL 30 DAY
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1
