-- Why: figures of every second of the wire, from all packets before any was let go: they outlive the packets
-- Sorted: time
-- Read by: dashboard (wire). With FINAL
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS wire_seconds${local} ${on_cluster} (
    second_ns UInt64 CODEC(Delta(8), ZSTD(1)),
    host LowCardinality(String) COMMENT 'packet.host of the recorder, empty where one sees all',
    packets UInt64 CODEC(ZSTD(1)),
    wire_bytes UInt64 CODEC(ZSTD(1)),
    flows UInt32 CODEC(ZSTD(1)),
    peak_1ms_bytes UInt64 CODEC(ZSTD(1)) COMMENT 'of the fullest millisecond',
    peak_500us_bytes UInt64 CODEC(ZSTD(1)),
    queue_bytes Nullable(UInt64) COMMENT 'reckoned, at its fullest; null without packet.link_mbit',
    queue_ns Nullable(UInt64),
    retransmissions UInt32,
    zero_windows UInt32,
    bursts UInt32,
    bursts_refused UInt32 COMMENT 'more than are kept of one second'
) ENGINE = ${replicated}ReplacingMergeTree
PARTITION BY toDate(toDateTime(intDiv(second_ns, 1000000000)))
ORDER BY (second_ns, host)
TTL toDateTime(intDiv(second_ns, 1000000000)) + INTERVAL 30 DAY
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
