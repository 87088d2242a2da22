-- Why: to which decision each outcome is counted, with what it says: what a window earned is read here, and the decision
-- that loses an outcome is counted again; what the outcome said before may be merged away
-- Sorted: as attributions, so that a window reads its own rows; an outcome is looked up by the index of its id
-- Shards by: cityHash64(decision_id)
-- Read by: attribution. With FINAL, but for a lookup, which takes the last revision of what it finds
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS outcome_matches${local} ${on_cluster} (
    ingress_ns UInt64 CODEC(Delta(8), ZSTD(1)) COMMENT 'when its decision began',
    decision_id String CODEC(ZSTD(1)),
    outcome_id String CODEC(ZSTD(1)),
    revision UInt64,
    is_gone UInt8 COMMENT '1 where it is counted to another decision now, or to none',
    channel LowCardinality(String) COMMENT 'of the decision: a sale counts within its horizon',
    kind LowCardinality(String) COMMENT 'of the outcome, as in outcomes; so are those below',
    is_sale UInt8,
    revenue Nullable(Decimal(18, 6)) CODEC(ZSTD(1)),
    margin Nullable(Decimal(18, 6)) CODEC(ZSTD(1)),
    currency LowCardinality(String),
    event_ns UInt64 CODEC(Delta(8), ZSTD(1)),
    -- Dozens to thousands of ids are looked for among all days, most of them in vain: to ask a filter of a few rows for
    -- each of thousands takes four times as long as to read what one of many rows lets through.
    INDEX idx_outcome_id outcome_id TYPE bloom_filter(0.0001) GRANULARITY 256
) ENGINE = ${replicated}ReplacingMergeTree(revision)
PARTITION BY toDate(toDateTime(intDiv(ingress_ns, 1000000000)))
ORDER BY (ingress_ns, decision_id, outcome_id)
TTL toDateTime(intDiv(ingress_ns, 1000000000)) + INTERVAL 30 DAY
SETTINGS index_granularity = 256, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
