-- Why: which packets carried which span, with the method and its confidence
-- Sorted: trace, span
-- Read by: attribution (evidence), dashboard (packet lane). With FINAL
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS span_flows${local} ${on_cluster} (
    trace_id String CODEC(ZSTD(1)),
    span_id String CODEC(ZSTD(1)),
    decision_id String CODEC(ZSTD(1)),
    flow_hash UInt64,
    from_ns UInt64 CODEC(Delta(8), ZSTD(1)) COMMENT 'first packet of the exchange',
    to_ns UInt64 CODEC(Delta(8), ZSTD(1)) COMMENT 'last packet of the exchange',
    packets UInt32 COMMENT 'that carry payload',
    wire_ns Nullable(UInt64) COMMENT 'request sent to first byte of the response seen, summed over the exchanges of the span, null if unknown',
    method LowCardinality(String) COMMENT 'tuple+time, or ports+time where the span names no address that the wire shows',
    confidence Float32 COMMENT '0 to 1; at most 0.5 where it is one of a set that cannot be told apart',
    linked_ns UInt64,
    host LowCardinality(String) COMMENT 'packet.host of the recorder whose packets these are, empty where one sees all',
    INDEX idx_decision_id decision_id TYPE bloom_filter(0.001) GRANULARITY 1
) ENGINE = ${replicated}ReplacingMergeTree(linked_ns)
PARTITION BY toDate(toDateTime(intDiv(from_ns, 1000000000)))
ORDER BY (trace_id, span_id, flow_hash)
TTL toDateTime(intDiv(to_ns, 1000000000)) + INTERVAL 30 DAY
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
