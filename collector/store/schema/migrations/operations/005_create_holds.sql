-- Why: legal holds: which rows no TTL may remove, why, and who said so. A released hold stays as a row
-- Sorted: name
-- Read by: collector (TTLs at every start), `millworth hold`, `millworth verify retention`. With FINAL
-- Blocking: no, a new table.
-- Shards by: cityHash64(name)
CREATE TABLE IF NOT EXISTS holds${local} ${on_cluster} (
    name String,
    tables Array(String) COMMENT 'or one * for all',
    from_ns UInt64,
    to_ns UInt64 COMMENT 'not included',
    reason String,
    actor String,
    at_ns UInt64 COMMENT 'when it was made or released: the later row counts',
    released_ns UInt64 COMMENT '0 while it holds'
) ENGINE = ${replicated}ReplacingMergeTree(at_ns)
ORDER BY name
