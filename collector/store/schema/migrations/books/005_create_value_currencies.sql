-- Why: the currency that the stored amounts are in, so that none is read as if it was in another; the last note counts
-- Sorted: revision
-- Read by: attribution at its start, commands that open the store. With FINAL
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS value_currencies${local} ${on_cluster} (
    revision UInt64 COMMENT '1 for the first note',
    currency LowCardinality(String) COMMENT 'attribution.currency, ISO 4217'
) ENGINE = ${replicated}ReplacingMergeTree
ORDER BY revision
