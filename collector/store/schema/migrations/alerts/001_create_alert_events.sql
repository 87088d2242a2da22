-- Why: every transition of every alert, mirrored from the alert state's own file
-- Sorted: episode, sequence
-- Read by: dashboard (alerts beside the path). With FINAL
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS alert_events${local} ${on_cluster} (
    episode_id String,
    seq UInt32,
    rule LowCardinality(String),
    severity LowCardinality(String),
    action LowCardinality(String),
    region LowCardinality(String),
    from_state LowCardinality(String),
    to_state LowCardinality(String) COMMENT 'inactive, pending, firing, cooling, resolved or unknown',
    at_ns UInt64 CODEC(Delta(8), ZSTD(1)) COMMENT 'the instant that was judged',
    recorded_ns UInt64 CODEC(Delta(8), ZSTD(1)) COMMENT 'when it was judged, by this machine''s clock',
    started_ns UInt64 COMMENT 'when the episode began to fire, 0 before',
    window_s UInt32 COMMENT 'the long window',
    loss_usd Decimal(18, 6) COMMENT 'in the long window, at the median slope',
    loss_low_usd Decimal(18, 6),
    loss_high_usd Decimal(18, 6),
    revenue_at_risk_usd_per_h Decimal(18, 6),
    burn Float64 COMMENT 'multiple of the budget\'s own rate',
    basis LowCardinality(String),
    slope_source LowCardinality(String) COMMENT 'prior or estimate; unknown: lateness is in no figure',
    blamed_stage LowCardinality(String) COMMENT 'empty where no segment stands out',
    blamed_class LowCardinality(String),
    blamed_excess_ns Int64 COMMENT 'mean excess over its reference, a decision',
    reason String CODEC(ZSTD(1)),
    is_shadow Bool DEFAULT false COMMENT 'its rule routed nothing yet: nobody was told',
    incident_id String DEFAULT '' COMMENT 'the episode of the first alert of its incident; empty until it fires',
    focus String DEFAULT '' COMMENT 'of several classes that it is on, the one that its cause is of: action/region',
    failing_share Float64 DEFAULT 0 COMMENT 'of the decisions, where failures are what it is about',
    blamed_baseline LowCardinality(String) DEFAULT '' COMMENT 'than what the blamed segment takes longer: before, or in other regions',
    failing_call String DEFAULT '' COMMENT 'service and name of the first call to fail; no one call: several; empty: not known',
    failing_call_text String DEFAULT '' CODEC(ZSTD(1)) COMMENT 'the same in words, with the number of decisions',
    slow_call String DEFAULT '' COMMENT 'service and name of the call that takes longer',
    slow_call_text String DEFAULT '' CODEC(ZSTD(1))
) ENGINE = ${replicated}ReplacingMergeTree
PARTITION BY toDate(toDateTime(intDiv(at_ns, 1000000000)))
ORDER BY (episode_id, seq)
TTL toDateTime(intDiv(at_ns, 1000000000)) + INTERVAL 395 DAY
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
