-- Why: when each trace happened, so that a lookup by trace id reads a few granules
-- Sorted: trace id; a lookup reads a few hundred rows a trace, however many are kept
-- Read by: every lookup of one trace
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS otel_traces_trace_id_ts${local} ${on_cluster} (
    TraceId String CODEC(ZSTD(1)),
    Start DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    End DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1
) ENGINE = ${replicated}MergeTree
PARTITION BY toStartOfWeek(Start)
ORDER BY (TraceId, Start)
TTL toDateTime(End) + INTERVAL 30 DAY
SETTINGS index_granularity = 256, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1, fsync_part_directory = 1
