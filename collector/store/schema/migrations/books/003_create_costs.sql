-- Why: what the infrastructure cost, as FOCUS bills it: one row a line of the bill
-- Sorted: begin of the charge, so that a period is one range
-- Read by: attribution (cost of a decision). With FINAL
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS costs${local} ${on_cluster} (
    from_ns UInt64 COMMENT 'ChargePeriodStart',
    to_ns UInt64 COMMENT 'ChargePeriodEnd, exclusive',
    line_hash UInt64 COMMENT 'of the line and how often it came before in its file: the same file twice is one',
    source LowCardinality(String) COMMENT 'name of the bill',
    currency LowCardinality(String) COMMENT 'BillingCurrency',
    effective Decimal(18, 6) COMMENT 'EffectiveCost: amortised; what running it cost',
    billed Decimal(18, 6) COMMENT 'BilledCost: cash',
    listed Nullable(Decimal(18, 6)) COMMENT 'ListCost',
    contracted Nullable(Decimal(18, 6)) COMMENT 'ContractedCost',
    charge_category LowCardinality(String),
    service_category LowCardinality(String),
    service_name LowCardinality(String),
    provider LowCardinality(String) COMMENT 'ServiceProviderName (FOCUS 1.3), else ProviderName (to 1.3)',
    host LowCardinality(String) COMMENT 'HostProviderName (FOCUS 1.3): on whose machines',
    region LowCardinality(String) COMMENT 'RegionId',
    resource String CODEC(ZSTD(1)) COMMENT 'ResourceId',
    received_ns UInt64
) ENGINE = ${replicated}ReplacingMergeTree(received_ns)
PARTITION BY toYYYYMM(toDateTime(intDiv(from_ns, 1000000000)))
ORDER BY (from_ns, source, line_hash)
TTL toDateTime(intDiv(from_ns, 1000000000)) + INTERVAL 3 YEAR
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000,
    fsync_after_insert = 1, fsync_part_directory = 1
