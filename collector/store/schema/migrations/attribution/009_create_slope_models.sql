-- Why: which sensitivity of value to latency the dollars of a second rest on. A version is never changed; it
-- is in force from its instant to that of the next, so that a second computed again gives the same dollars
-- Sorted: version
-- Read by: attribution (revenue cells), dashboard
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS slope_models${local} ${on_cluster} (
    version UInt32,
    effective_ns UInt64 CODEC(Delta(8), ZSTD(1)) COMMENT 'decisions that began from here on are valued by it',
    computed_ns UInt64 CODEC(Delta(8), ZSTD(1)),
    from_ns UInt64 CODEC(Delta(8), ZSTD(1)) COMMENT 'first minute of the data',
    to_ns UInt64 CODEC(Delta(8), ZSTD(1)) COMMENT 'behind the last',
    source LowCardinality(String) COMMENT 'estimate or prior: what the dollars rest on; unknown where neither may be used',
    status LowCardinality(String) COMMENT 'of the estimate: identified, or why not',
    reason String CODEC(ZSTD(1)),
    outcome LowCardinality(String) COMMENT 'margin, revenue or converted',
    decisions UInt64,
    minutes UInt32,
    decisions_needed Nullable(UInt64) COMMENT 'further ones until it is identified; null where more would not help',
    mean_outcome Float64,
    median_per_ns Float64 COMMENT 'relative loss of value a nanosecond over the reference, as it is used',
    low_per_ns Float64 COMMENT '5 % quantile; below 0 where a wait may earn money',
    high_per_ns Float64 COMMENT '95 % quantile',
    backend_per_ms Nullable(Float64) COMMENT 'second opinion, observational: by the jitter of the back end, relative to the mean outcome',
    backend_se Nullable(Float64),
    injection_per_ms Nullable(Float64) COMMENT 'by the randomised delay, likewise',
    injection_se Nullable(Float64),
    delay_max_ns UInt64 COMMENT 'the longest delay of an arm',
    latency_low_ns UInt64 COMMENT 'between these two latencies the effect was measured; 0 where none was',
    latency_high_ns UInt64,
    not_randomised UInt64 COMMENT 'decisions whose delay Millworth did not draw: in no figure',
    experiments Array(String) CODEC(ZSTD(1)) COMMENT 'that the estimate rests on',
    config_hash String CODEC(ZSTD(1)) COMMENT 'SHA-256 of the settings that it was computed under'
) ENGINE = ${replicated}MergeTree
PARTITION BY toYear(toDateTime(intDiv(computed_ns, 1000000000)))
ORDER BY version
TTL toDateTime(intDiv(computed_ns, 1000000000)) + INTERVAL 10 YEAR
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000
