-- Why: one row a span, named and shaped as the OpenTelemetry collector's clickhouseexporter does, so that
-- dashboards written for it work here; received_ns is ours: jobs advance by it and so find late
-- spans; so is ScopeAttributes, which the exporter drops
-- A new part of one segment, some 25 MB before compression, is written as one file and not as one for each of 80
-- columns and sub-columns: 2 us a span less at insert, fsync included. Merges write larger, wide parts: a merge that
-- writes compact ones costs 1 us a span more
-- Resource and scope are the same in row after row: LZ4 packs them as small, and a span's merge takes a sixth less
-- Sorted: second of arrival, then service, span name and time as the exporter. Segments of the log do not overlap in it, so
-- that a merge puts one part behind another (docs/adr/011-spans-as-blocks.md); jobs that read by arrival read no more
-- than that. By time of the event a minmax index prunes, since what arrives together happened together
-- Read by: attribution (assembly), packet (linking), dashboard (waterfall), `millworth trace`
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS otel_traces${local} ${on_cluster} (
    Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    ParentSpanId String CODEC(ZSTD(1)),
    TraceState String CODEC(ZSTD(1)),
    SpanName LowCardinality(String) CODEC(ZSTD(1)),
    SpanKind LowCardinality(String) CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) CODEC(LZ4),
    ScopeName String CODEC(LZ4),
    ScopeVersion String CODEC(LZ4),
    SpanAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    Duration UInt64 CODEC(T64, ZSTD(1)),
    StatusCode LowCardinality(String) CODEC(ZSTD(1)),
    StatusMessage String CODEC(ZSTD(1)),
    Events Nested (
        Timestamp DateTime64(9),
        Name LowCardinality(String),
        Attributes Map(LowCardinality(String), String)
    ) CODEC(ZSTD(1)),
    Links Nested (
        TraceId String,
        SpanId String,
        TraceState String,
        Attributes Map(LowCardinality(String), String)
    ) CODEC(ZSTD(1)),
    received_ns UInt64 CODEC(Delta(8), ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) CODEC(LZ4),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_duration Duration TYPE minmax GRANULARITY 1,
    INDEX idx_received received_ns TYPE minmax GRANULARITY 1,
    INDEX idx_timestamp Timestamp TYPE minmax GRANULARITY 1
) ENGINE = ${replicated}MergeTree
PARTITION BY toDate(Timestamp)
PRIMARY KEY (intDiv(received_ns, 1000000000), ServiceName, SpanName, toDateTime(Timestamp))
ORDER BY (intDiv(received_ns, 1000000000), ServiceName, SpanName, toDateTime(Timestamp), Timestamp)
TTL toDateTime(Timestamp) + INTERVAL 30 DAY
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1, fsync_part_directory = 1,
    min_bytes_for_wide_part = 67108864
