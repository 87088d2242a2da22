-- Why: what a caller's span waited for, as its packets show it: stretches that tile the span
-- Sorted: trace, span
-- Read by: attribution (evidence). With FINAL
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS wire_times${local} ${on_cluster} (
    trace_id String CODEC(ZSTD(1)),
    span_id String CODEC(ZSTD(1)),
    decision_id String CODEC(ZSTD(1)),
    start_ns UInt64 CODEC(Delta(8), ZSTD(1)) COMMENT 'of the span',
    end_ns UInt64 CODEC(Delta(8), ZSTD(1)),
    exchanges UInt32 COMMENT 'requests with their responses',
    rtt_ns Nullable(UInt64) COMMENT 'the least round trip that the connection showed; null if none was seen',
    kinds Array(LowCardinality(String)) COMMENT 'host, handshake, send, answer, receive, retransmission, zero_window',
    ends_ns Array(UInt64) COMMENT 'where each stretch ends; the first begins with the span',
    outside_ns UInt64 COMMENT 'how far its packets lie outside of the span',
    confidence Float32 COMMENT 'of the link',
    linked_ns UInt64 CODEC(Delta(8), ZSTD(1)),
    INDEX idx_linked linked_ns TYPE minmax GRANULARITY 1
) ENGINE = ${replicated}ReplacingMergeTree(linked_ns)
PARTITION BY toDate(toDateTime(intDiv(start_ns, 1000000000)))
ORDER BY (trace_id, span_id)
TTL toDateTime(intDiv(end_ns, 1000000000)) + INTERVAL 30 DAY
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
