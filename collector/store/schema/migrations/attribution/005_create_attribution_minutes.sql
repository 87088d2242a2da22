-- Why: latency by minute as integer log2 buckets, eight to the octave: bucket = floor(8 * log2(ns)). A touched
-- minute is rewritten whole under a new revision, never incremented
-- Sorted: minute, action, region, segment
-- Read by: dashboard. Rows of the highest revision of a minute only
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS attribution_minutes${local} ${on_cluster} (
    minute_ns UInt64 CODEC(Delta(8), ZSTD(1)),
    revision UInt64 COMMENT 'the same for every row of one rewriting of a minute',
    action LowCardinality(String),
    region LowCardinality(String),
    stage LowCardinality(String) COMMENT 'empty on the rows of the whole decision',
    class LowCardinality(String) COMMENT 'empty on the rows of the whole decision',
    bucket UInt16 COMMENT '0 for 0 ns',
    decisions UInt64,
    sum_ns UInt64
) ENGINE = ${replicated}ReplacingMergeTree(revision)
PARTITION BY toDate(toDateTime(intDiv(minute_ns, 1000000000)))
ORDER BY (minute_ns, action, region, stage, class, bucket)
TTL toDateTime(intDiv(minute_ns, 1000000000)) + INTERVAL 30 DAY
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
