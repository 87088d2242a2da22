-- Why: how far two hosts' clocks are apart, a row a pair and minute, with what the error is at most
-- Sorted: time, pair
-- Read by: attribution (shift of spans), dashboard (clocks). With FINAL
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS clock_offsets${local} ${on_cluster} (
    window_ns UInt64 CODEC(Delta(8), ZSTD(1)) COMMENT 'start of the minute',
    host_a LowCardinality(String),
    host_b LowCardinality(String) COMMENT 'behind host_a in the alphabet',
    source LowCardinality(String) COMMENT 'packets or spans: what both hosts saw',
    at_ns UInt64 CODEC(Delta(8), ZSTD(1)) COMMENT 'the instant that the figures are of, clock of host_a',
    offset_ns Int64 COMMENT 'clock of host_b less clock of host_a',
    bound_ns UInt64 COMMENT 'the error of offset_ns is at most this: half the shortest round trip',
    median_offset_ns Int64 COMMENT 'nearer where delays scatter alike both ways, without a bound',
    rtt_min_ns UInt64,
    drift_ppm Nullable(Float64) COMMENT 'null where the time is too short to tell',
    drift_bound_ppm Nullable(Float64),
    state LowCardinality(String) COMMENT 'synchronised, unsynchronised, drifting or stepped',
    stepped_ns Nullable(UInt64) COMMENT 'about when one of the clocks was set',
    says_unsynchronised Array(String) COMMENT 'hosts whose own kernel says so',
    forward UInt32 COMMENT 'samples from host_a to host_b',
    reverse UInt32,
    segments UInt32 COMMENT 'one-way times measured with this offset',
    excluded UInt32 COMMENT 'of these, no longer than their bound: left out',
    version UInt64
) ENGINE = ${replicated}ReplacingMergeTree(version)
PARTITION BY toDate(toDateTime(intDiv(window_ns, 1000000000)))
ORDER BY (window_ns, host_a, host_b, source)
TTL toDateTime(intDiv(window_ns, 1000000000)) + INTERVAL 30 DAY
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
