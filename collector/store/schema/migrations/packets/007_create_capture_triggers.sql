-- Why: what packets were asked for beside alerts: slow decisions, retransmissions, microbursts. Every recorder
-- answers every row, so that a trigger on one host finds the packets of all
-- Sorted: time
-- Read by: packet, dashboard. With FINAL: the latest has the whole reach
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS capture_triggers${local} ${on_cluster} (
    began_ns UInt64 CODEC(Delta(8), ZSTD(1)),
    trigger_id String,
    cause LowCardinality(String) COMMENT 'outlier, retransmissions or microburst',
    from_ns UInt64,
    to_ns UInt64 COMMENT 'grows while more of the same comes',
    trace_ids Array(String) COMMENT 'whose connections are wanted',
    port_pairs Array(UInt32) COMMENT 'connections that are wanted: the lower port times 65536 plus the higher',
    host LowCardinality(String) COMMENT 'packet.host of the recorder that raised it',
    reason String,
    version UInt64
) ENGINE = ${replicated}ReplacingMergeTree(version)
PARTITION BY toDate(toDateTime(intDiv(began_ns, 1000000000)))
ORDER BY (began_ns, trigger_id)
TTL toDateTime(intDiv(began_ns, 1000000000)) + INTERVAL 30 DAY
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
