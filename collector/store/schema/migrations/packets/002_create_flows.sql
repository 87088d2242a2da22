-- Why: one row a kept stretch of a connection: who spoke with whom, how much, and the wire's own figures. A row
-- that later packets make part of another one is marked deleted; FINAL leaves it out
-- Sorted: first packet
-- Read by: dashboard. With FINAL
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS flows${local} ${on_cluster} (
    flow_hash UInt64,
    first_ns UInt64 CODEC(Delta(8), ZSTD(1)),
    last_ns UInt64 CODEC(Delta(8), ZSTD(1)),
    client_address String CODEC(ZSTD(1)),
    client_port UInt16,
    server_address String CODEC(ZSTD(1)),
    server_port UInt16,
    protocol UInt8,
    packets UInt64,
    wire_bytes UInt64,
    handshake_rtt_ns Nullable(UInt64) COMMENT 'null where the handshake was not recorded',
    retransmissions UInt32,
    zero_windows UInt32,
    version UInt64 COMMENT 'when it was analysed: the latest analysis replaces an earlier one',
    is_deleted UInt8,
    host LowCardinality(String) COMMENT 'packet.host of the recorder, empty where one sees all',
    INDEX idx_flow_hash flow_hash TYPE bloom_filter(0.001) GRANULARITY 1
) ENGINE = ${replicated}ReplacingMergeTree(version, is_deleted)
PARTITION BY toDate(toDateTime(intDiv(first_ns, 1000000000)))
ORDER BY (first_ns, flow_hash)
TTL toDateTime(intDiv(last_ns, 1000000000)) + INTERVAL 30 DAY
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
