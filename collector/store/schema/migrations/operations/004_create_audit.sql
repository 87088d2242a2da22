-- Why: every act of a person or of the machine, hash chained
-- The head of the chain beside the log names the last row, so a row has to outlive a power cut as the head does
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
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
