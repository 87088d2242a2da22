-- Why: which flows the recorder should give up before they leave its memory: one row when an alert fires
-- Sorted: time
-- Read by: packet
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS capture_requests${local} ${on_cluster} (
    trigger_id String COMMENT 'episode and sequence of the alert',
    at_ns UInt64 CODEC(Delta(8), ZSTD(1)),
    from_ns UInt64,
    to_ns UInt64,
    action LowCardinality(String) COMMENT 'empty for every action',
    region LowCardinality(String) COMMENT 'empty for every region'
) ENGINE = ${replicated}ReplacingMergeTree
PARTITION BY toDate(toDateTime(intDiv(at_ns, 1000000000)))
ORDER BY (at_ns, trigger_id)
TTL toDateTime(intDiv(at_ns, 1000000000)) + INTERVAL 30 DAY
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
