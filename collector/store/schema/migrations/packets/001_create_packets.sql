-- Why: the headers of the packets that are kept: 0.1 % of flows, and the flows of decisions that an alert names.
-- A packet kept for two reasons collapses to one row
-- Sorted: flow, time
-- Read by: dashboard (packet lane), `millworth query`. With FINAL
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS packets${local} ${on_cluster} (
    ts_ns UInt64 CODEC(Delta(8), ZSTD(1)),
    flow_hash UInt64 CODEC(ZSTD(1)) COMMENT 'symmetric: both directions of a connection share it',
    src_address String CODEC(ZSTD(1)),
    src_port UInt16,
    dst_address String CODEC(ZSTD(1)),
    dst_port UInt16,
    protocol UInt8 COMMENT 'IP protocol number: 6 TCP, 17 UDP',
    ttl UInt8,
    tcp_flags UInt16,
    tcp_seq UInt32,
    tcp_ack UInt32,
    tcp_window UInt32 COMMENT 'as on the wire, not scaled',
    payload_bytes UInt32,
    wire_bytes UInt32,
    kept_for LowCardinality(String) COMMENT 'sample or alert',
    trigger_id String CODEC(ZSTD(1)) COMMENT 'the capture request, empty for the sample',
    host LowCardinality(String) COMMENT 'packet.host of the recorder, empty where one sees all'
) ENGINE = ${replicated}ReplacingMergeTree
PARTITION BY toDate(toDateTime(intDiv(ts_ns, 1000000000)))
ORDER BY (flow_hash, ts_ns, src_port, tcp_seq, tcp_ack, payload_bytes)
TTL toDateTime(intDiv(ts_ns, 1000000000)) + INTERVAL 30 DAY
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
