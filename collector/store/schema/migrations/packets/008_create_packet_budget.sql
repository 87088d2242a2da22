-- Why: what was kept of the packets, by which of the three ways, and what the byte budget refused
-- Sorted: time
-- Read by: packet (what was left before a restart), dashboard. With FINAL
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS packet_budget${local} ${on_cluster} (
    at_ns UInt64 CODEC(Delta(8), ZSTD(1)),
    host LowCardinality(String) COMMENT 'packet.host of the recorder, empty where one sees all',
    seen_bytes UInt64 COMMENT 'since the row before, as all that follow; bytes as on the wire',
    sampled_bytes UInt64,
    pulled_bytes UInt64 COMMENT 'for traces that the sampler of traces keeps',
    dumped_bytes UInt64 COMMENT 'for alerts and triggers',
    refused_bytes UInt64,
    left_bytes UInt64 COMMENT 'in the bucket, at this time'
) ENGINE = ${replicated}ReplacingMergeTree
PARTITION BY toDate(toDateTime(intDiv(at_ns, 1000000000)))
ORDER BY (at_ns, host)
TTL toDateTime(intDiv(at_ns, 1000000000)) + INTERVAL 30 DAY
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
