-- Why: bursts shorter than any average shows, with the queue that they made and the connections that made them
-- Sorted: time
-- Read by: dashboard (wire). With FINAL
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS microbursts${local} ${on_cluster} (
    start_ns UInt64 CODEC(Delta(8), ZSTD(1)),
    host LowCardinality(String) COMMENT 'packet.host of the recorder, empty where one sees all',
    end_ns UInt64 CODEC(Delta(8), ZSTD(1)),
    packets UInt32,
    wire_bytes UInt64,
    peak_ratio Float64 COMMENT 'of the fullest 500 us to what the link carries in that time',
    queue_bytes UInt64 COMMENT 'reckoned, at its fullest',
    queue_ns UInt64,
    flows UInt32,
    port_pairs Array(UInt32) COMMENT 'of the connections that sent most: the lower port times 65536 plus the higher',
    top_share Float64 COMMENT 'of the bytes, by the largest connection'
) ENGINE = ${replicated}ReplacingMergeTree
PARTITION BY toDate(toDateTime(intDiv(start_ns, 1000000000)))
ORDER BY (start_ns, host)
TTL toDateTime(intDiv(start_ns, 1000000000)) + INTERVAL 30 DAY
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
