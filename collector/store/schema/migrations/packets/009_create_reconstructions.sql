-- Why: how likely an incident can be rebuilt from packets, and what that rests on, in a person's words
-- Sorted: time
-- Read by: dashboard (incident). With FINAL
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS reconstructions${local} ${on_cluster} (
    from_ns UInt64 CODEC(Delta(8), ZSTD(1)),
    trigger_id String COMMENT 'episode and sequence of the alert, or of capture_triggers',
    host LowCardinality(String) COMMENT 'packet.host of the recorder, empty where one sees all',
    cause LowCardinality(String) COMMENT 'alert, outlier, retransmissions or microburst',
    requests UInt32 COMMENT 'that the incident touched',
    rebuilt UInt32 COMMENT 'of these, with packets on every span that names its connection',
    packets UInt64 COMMENT 'kept',
    probability Float64 COMMENT 'that every packet of every request is kept',
    sampled_probability Float64 COMMENT 'that sampling alone kept one request whole',
    grounds Array(String),
    version UInt64
) ENGINE = ${replicated}ReplacingMergeTree(version)
PARTITION BY toDate(toDateTime(intDiv(from_ns, 1000000000)))
ORDER BY (from_ns, trigger_id, host)
TTL toDateTime(intDiv(from_ns, 1000000000)) + INTERVAL 30 DAY
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
