-- Why: what lateness cost, by second, action and region: sums that a window of any length adds up
-- Sorted: second, action, region
-- Read by: alerts ($ burn), dashboard. With FINAL; a touched second is rewritten whole
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS revenue_cells${local} ${on_cluster} (
    second_ns UInt64 CODEC(Delta(8), ZSTD(1)) COMMENT 'start of the second in which the decisions began',
    action LowCardinality(String),
    region LowCardinality(String),
    revision UInt64,
    decisions UInt64,
    late UInt64 COMMENT 'decisions over the reference latency of their action',
    unvalued UInt64 COMMENT 'decisions whose value is unknown: in no dollar figure',
    value_usd Decimal(18, 6) COMMENT 'expected value at the reference latency',
    basis LowCardinality(String) COMMENT 'margin, revenue, expected or unknown',
    loss_usd Decimal(18, 6) COMMENT 'at the median slope',
    loss_low_usd Decimal(18, 6) COMMENT 'at the 5 % slope',
    loss_high_usd Decimal(18, 6) COMMENT 'at the 95 % slope',
    loss_squared Float64 COMMENT 'sum of squared losses, USD^2, for the variance of a window',
    slope_source LowCardinality(String) COMMENT 'prior or estimate'
) ENGINE = ${replicated}ReplacingMergeTree(revision)
PARTITION BY toDate(toDateTime(intDiv(second_ns, 1000000000)))
ORDER BY (second_ns, action, region)
TTL toDateTime(intDiv(second_ns, 1000000000)) + INTERVAL 30 DAY
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
