-- Why: in which second the decision began that an outcome was last counted to, so that the decision that loses it is
-- counted again; what the outcome said before may be merged away
-- Sorted: outcome id; a lookup reads a few hundred rows a name, however many are kept
-- Read by: attribution. With FINAL
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS outcome_matches${local} ${on_cluster} (
    outcome_id String CODEC(ZSTD(1)),
    second_ns UInt64 CODEC(Delta(8), ZSTD(1)) COMMENT 'start of the second in which its decision began',
    revision UInt64,
    INDEX idx_outcome_id outcome_id TYPE bloom_filter(0.001) GRANULARITY 1
) ENGINE = ${replicated}ReplacingMergeTree(revision)
PARTITION BY toDate(toDateTime(intDiv(second_ns, 1000000000)))
ORDER BY outcome_id
TTL toDateTime(intDiv(second_ns, 1000000000)) + INTERVAL 30 DAY
SETTINGS index_granularity = 256, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
