-- Why: the network and store time of a span on the critical path, split by what its packets prove, or by
-- what the kernel of the caller knew of its connection, which is weaker; the parts
-- sum to its self time exactly
-- Sorted: ingress time, decision, span
-- Read by: dashboard. With FINAL
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS path_evidence${local} ${on_cluster} (
    ingress_ns UInt64 CODEC(Delta(8), ZSTD(1)),
    decision_id String CODEC(ZSTD(1)),
    span_id String CODEC(ZSTD(1)),
    stage LowCardinality(String),
    class LowCardinality(String) COMMENT 'network or store',
    self_ns UInt64 CODEC(ZSTD(1)),
    rtt_ns UInt64 CODEC(ZSTD(1)) COMMENT 'round trips on the wire',
    handshake_ns UInt64 CODEC(ZSTD(1)),
    transfer_ns UInt64 CODEC(ZSTD(1)) COMMENT 'request and response, from their first segment to their last',
    retransmission_ns UInt64 CODEC(ZSTD(1)) COMMENT 'waited for a segment that had to be sent again',
    zero_window_ns UInt64 CODEC(ZSTD(1)) COMMENT 'waited for a receiver without room',
    host_queue_ns UInt64 CODEC(ZSTD(1)) COMMENT 'in the machine of the caller, nothing on the wire',
    think_ns UInt64 CODEC(ZSTD(1)) COMMENT 'the store at work; 0 for network',
    unexplained_ns UInt64 CODEC(ZSTD(1)) COMMENT 'waited for the peer, and no packet says why',
    finding LowCardinality(String) COMMENT 'outside_span where packets and span disagree beyond the clock bound; else empty',
    outside_ns UInt64 CODEC(ZSTD(1)),
    method LowCardinality(String) DEFAULT 'packets' COMMENT 'packets, or tcp_info: never more than the least that it can mean',
    revision UInt32 COMMENT 'of the attribution that it splits',
    computed_ns UInt64 CODEC(Delta(8), ZSTD(1))
) ENGINE = ${replicated}ReplacingMergeTree(computed_ns)
PARTITION BY toDate(toDateTime(intDiv(ingress_ns, 1000000000)))
ORDER BY (ingress_ns, decision_id, span_id)
TTL toDateTime(intDiv(ingress_ns, 1000000000)) + INTERVAL 30 DAY
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
