-- Why: every act of a person or of the machine, hash chained
-- Sorted: sequence
-- Read by: `millworth query`
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS audit${local} ${on_cluster} (
    seq UInt64,
    at_ns UInt64 CODEC(Delta(8), ZSTD(1)),
    actor LowCardinality(String),
    action LowCardinality(String),
    detail String CODEC(ZSTD(1)),
    prev_hash String CODEC(ZSTD(1)),
    hash String CODEC(ZSTD(1)) COMMENT 'SHA-256 over prev_hash and the other fields'
) ENGINE = ${replicated}MergeTree
PARTITION BY toStartOfMonth(toDateTime(intDiv(at_ns, 1000000000)))
ORDER BY seq
