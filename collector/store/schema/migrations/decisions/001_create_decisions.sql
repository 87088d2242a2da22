-- Why: one row a decision: its root span's stamps and dimensions. A batch that a sender retries gives the same
-- rows again; the first received wins, because the version falls as received_ns grows,
-- and of those of one millisecond what they say decides, not the order in which they are inserted
-- Sorted: ingress time, then id: an hour is one range
-- Read by: attribution, packet, dashboard. Always with FINAL
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS decisions${local} ${on_cluster} (
    ingress_ns UInt64 CODEC(Delta(8), ZSTD(1)),
    decision_id String CODEC(ZSTD(1)),
    trace_id String CODEC(ZSTD(1)),
    root_span_id String CODEC(ZSTD(1)),
    service_name LowCardinality(String),
    start_ns UInt64 CODEC(Delta(8), ZSTD(1)),
    end_ns UInt64 CODEC(Delta(8), ZSTD(1)),
    transform_ns UInt64 CODEC(ZSTD(1)) COMMENT '0 where the root has no such stamp',
    decision_ns UInt64 CODEC(ZSTD(1)) COMMENT '0 where the root has no such stamp',
    egress_ns UInt64 CODEC(ZSTD(1)) COMMENT '0 where the root has no such stamp',
    action LowCardinality(String),
    channel LowCardinality(String),
    region LowCardinality(String),
    cohort LowCardinality(String),
    offer_type LowCardinality(String),
    campaign LowCardinality(String),
    route LowCardinality(String),
    vendor LowCardinality(String),
    mode LowCardinality(String),
    experiment LowCardinality(String),
    arm LowCardinality(String),
    unit String CODEC(ZSTD(1)) COMMENT 'whom the arm was drawn for, as 16 hex digits',
    injected_delay_ns UInt64 CODEC(ZSTD(1)),
    value_usd Nullable(Decimal(18, 6)) CODEC(ZSTD(1)),
    outcome_key String CODEC(ZSTD(1)) COMMENT 'order or session id by which an outcome finds it',
    is_error UInt8,
    received_ns UInt64 CODEC(Delta(8), ZSTD(1)),
    version UInt64 MATERIALIZED 18446744073709551615 - bitOr(received_ns, 1048575)
        + cityHash64(trace_id, root_span_id, service_name, start_ns, end_ns, transform_ns, decision_ns, egress_ns, action,
            channel, region, cohort, offer_type, campaign, route, vendor, mode, experiment, arm, unit, injected_delay_ns,
            ifNull(toString(value_usd), ''), outcome_key, is_error) % 1048576,
    INDEX idx_decision_id decision_id TYPE bloom_filter(0.0001) GRANULARITY 1,
    INDEX idx_trace_id trace_id TYPE bloom_filter(0.0001) GRANULARITY 1,
    INDEX idx_outcome_key outcome_key TYPE bloom_filter(0.0001) GRANULARITY 1,
    INDEX idx_received received_ns TYPE minmax GRANULARITY 1,
    INDEX idx_start start_ns TYPE minmax GRANULARITY 1
) ENGINE = ${replicated}ReplacingMergeTree(version)
PARTITION BY toDate(toDateTime(intDiv(ingress_ns, 1000000000)))
ORDER BY (ingress_ns, decision_id)
TTL toDateTime(intDiv(end_ns, 1000000000)) + INTERVAL 30 DAY
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1, fsync_part_directory = 1
