-- Why: which kept packet carried which trace context, so that a span is linked to its packets by what the
-- request itself said
-- Sorted: time, connection
-- Read by: packet (linking). With FINAL
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS wire_contexts${local} ${on_cluster} (
    ts_ns UInt64 CODEC(Delta(8), ZSTD(1)) COMMENT 'of the packet',
    flow_hash UInt64,
    client_port UInt16,
    server_port UInt16,
    trace_id String CODEC(ZSTD(1)),
    span_id String CODEC(ZSTD(1)) COMMENT 'of the span that asks: the parent of the span that answers',
    method LowCardinality(String) COMMENT 'header: in HTTP/1.1; hpack: in HTTP/2',
    host LowCardinality(String) COMMENT 'packet.host of the recorder, empty where one sees all',
    written_ns UInt64 CODEC(Delta(8), ZSTD(1))
) ENGINE = ${replicated}ReplacingMergeTree(written_ns)
PARTITION BY toDate(toDateTime(intDiv(ts_ns, 1000000000)))
ORDER BY (ts_ns, flow_hash, trace_id, span_id, host)
TTL toDateTime(intDiv(ts_ns, 1000000000)) + INTERVAL 30 DAY
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
