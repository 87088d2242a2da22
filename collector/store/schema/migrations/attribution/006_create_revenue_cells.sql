-- Why: what lateness cost, by second, action and region: sums that a window of any length adds up. Beside
-- each figure are the sums it was made of, so that a late outcome revalues later seconds without a decision
-- being read again
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
    failed UInt64 COMMENT 'decisions that ended in an error: their whole value is lost',
    unvalued UInt64 COMMENT 'decisions whose value is unknown: in no dollar figure',
    value_usd Decimal(18, 6) COMMENT 'expected value, had none failed or been late',
    earned_usd Decimal(18, 6) COMMENT 'what as many decisions of its class earned on average, failed and late ones too',
    basis LowCardinality(String) COMMENT 'margin, revenue, expected or unknown',
    loss_usd Decimal(18, 6) COMMENT 'at the median slope',
    loss_low_usd Decimal(18, 6) COMMENT 'at the 5 % slope',
    loss_high_usd Decimal(18, 6) COMMENT 'at the 95 % slope',
    loss_squared Float64 COMMENT 'sum of squared losses, USD^2, for the variance of a window',
    slope_source LowCardinality(String) COMMENT 'prior or estimate; unknown: lateness is in no figure',
    lost_share Float64 COMMENT 'sum over decisions of the share of their value that was lost',
    lost_share_low Float64,
    lost_share_high Float64,
    lost_share_squared Float64,
    stated UInt64 COMMENT 'decisions that carry decision.value_usd',
    stated_usd Decimal(18, 6),
    stated_loss_usd Decimal(18, 6),
    stated_loss_low_usd Decimal(18, 6),
    stated_loss_high_usd Decimal(18, 6),
    stated_loss_squared Float64,
    known UInt64 COMMENT 'decisions of which it is known what they earned, be it nothing',
    kept_ppb UInt64 COMMENT '... the share of its value that each kept, in billionths, summed',
    converted UInt64 COMMENT '... that earned something, or should have',
    margins UInt64 COMMENT '... and whose margin is known',
    margin_usd Decimal(18, 6) COMMENT 'sum of what is known, refunds taken off',
    revenues UInt64,
    revenue_usd Decimal(18, 6)
) ENGINE = ${replicated}ReplacingMergeTree(revision)
PARTITION BY toDate(toDateTime(intDiv(second_ns, 1000000000)))
ORDER BY (second_ns, action, region)
TTL toDateTime(intDiv(second_ns, 1000000000)) + INTERVAL 30 DAY
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
