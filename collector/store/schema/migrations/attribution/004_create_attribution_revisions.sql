-- Why: what a late span, or a computation anew, changed of a decision: one row from each revision to the next
-- Sorted: ingress time, decision, revision
-- Read by: dashboard, alerts. With FINAL; rows above the decision's revision in attributions are unfinished
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS attribution_revisions${local} ${on_cluster} (
    ingress_ns UInt64 CODEC(Delta(8), ZSTD(1)),
    decision_id String CODEC(ZSTD(1)),
    revision UInt32 COMMENT 'the later of the two',
    action LowCardinality(String),
    region LowCardinality(String),
    changes Array(Tuple(name LowCardinality(String), before String, after String)) CODEC(ZSTD(1))
        COMMENT 'columns of attributions that differ, in their order; flags joined by commas',
    spans_added Array(String) CODEC(ZSTD(1)),
    spans_removed Array(String) CODEC(ZSTD(1)),
    computed_ns UInt64 CODEC(Delta(8), ZSTD(1))
) ENGINE = ${replicated}ReplacingMergeTree(computed_ns)
PARTITION BY toDate(toDateTime(intDiv(ingress_ns, 1000000000)))
ORDER BY (ingress_ns, decision_id, revision)
TTL toDateTime(intDiv(ingress_ns, 1000000000)) + INTERVAL 30 DAY
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
