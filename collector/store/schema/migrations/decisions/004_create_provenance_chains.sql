-- Why: where each chain of sealed events stands, so that a restart goes on there. The rows of one pass, with one
-- of an empty producer for the pass itself, are one insert: either all of a pass is remembered or nothing
-- Sorted: chain
-- Read by: the job of provenance. Always with FINAL
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS provenance_chains${local} ${on_cluster} (
    producer String CODEC(ZSTD(1)),
    epoch String CODEC(ZSTD(1)),
    state String CODEC(ZSTD(1)) COMMENT 'JSON, see collector/provenance/chain.py',
    cursor_ns UInt64 CODEC(Delta(8), ZSTD(1)) COMMENT 'everything that arrived by then is in it'
) ENGINE = ${replicated}ReplacingMergeTree(cursor_ns)
PARTITION BY toDate(toDateTime(intDiv(cursor_ns, 1000000000)))
ORDER BY (producer, epoch)
TTL toDateTime(intDiv(cursor_ns, 1000000000)) + INTERVAL 31 DAY
SETTINGS index_granularity = 256, ttl_only_drop_parts = 1
