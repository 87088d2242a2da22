-- Why: which delays are injected on purpose, into whose decisions, for how long and up to which loss; a change
-- is a new revision of the row. What became of it is measured from `decisions`, and is not kept here
-- Sorted: name
-- Read by: attribution (what services ask for, the guard, reports). Always with FINAL
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS experiments${local} ${on_cluster} (
    name String CODEC(ZSTD(1)),
    revision UInt32,
    owner String CODEC(ZSTD(1)) COMMENT 'who answers for it',
    purpose String CODEC(ZSTD(1)),
    arms String CODEC(ZSTD(1)) COMMENT 'JSON: name, share, delay_ms; the control is the last',
    targets String CODEC(ZSTD(1)) COMMENT 'JSON: values by action, region, cohort, channel and offer_type; none is everybody',
    from_ns UInt64,
    to_ns UInt64,
    budget_usd Decimal(18, 6) COMMENT 'that may be at risk in all',
    registered_ns UInt64,
    registered_by String CODEC(ZSTD(1)),
    stopped_ns UInt64 COMMENT '0 where it was not stopped before its time',
    stopped_by String CODEC(ZSTD(1)),
    stop_reason String CODEC(ZSTD(1))
) ENGINE = ${replicated}ReplacingMergeTree(revision)
PARTITION BY toYear(toDateTime(intDiv(registered_ns, 1000000000)))
ORDER BY name
TTL toDateTime(intDiv(registered_ns, 1000000000)) + INTERVAL 10 YEAR
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000
