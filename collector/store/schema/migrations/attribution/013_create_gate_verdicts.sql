-- Why: what the funding gate ruled, with every input, so that a verdict can be worked out again years later
-- Sorted: when it was judged, then its name, the SHA-256 of the document; a signature that comes later replaces
-- Read by: attribution (list, verification), `/api/v1`. With FINAL
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS gate_verdicts${local} ${on_cluster} (
    judged_ns UInt64 CODEC(Delta(8), ZSTD(1)),
    sha256 String CODEC(ZSTD(1)) COMMENT 'of the document, in hex: its name',
    changed_ns UInt64 CODEC(Delta(8), ZSTD(1)) COMMENT 'when it was judged, or signed; the latest counts',
    option LowCardinality(String),
    ruling LowCardinality(String) COMMENT 'fund, reject or refuse',
    gain_low_usd Nullable(Decimal(18, 2)) COMMENT 'null where the gate refused',
    cost_usd Nullable(Decimal(18, 2)) COMMENT 'null where the gate refused',
    document String CODEC(ZSTD(3)) COMMENT 'canonical JSON: what is hashed and signed',
    signature String CODEC(ZSTD(1)) COMMENT 'Ed25519 in hex, empty where it was not signed',
    public_key String CODEC(ZSTD(1)) COMMENT 'PEM of the key that the signature is by',
    actor String CODEC(ZSTD(1)) COMMENT 'whose token asked'
) ENGINE = ${replicated}ReplacingMergeTree(changed_ns)
PARTITION BY toYear(toDateTime(intDiv(judged_ns, 1000000000)))
ORDER BY (judged_ns, sha256)
TTL toDateTime(intDiv(judged_ns, 1000000000)) + INTERVAL 10 YEAR
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000,
    fsync_after_insert = 1, fsync_part_directory = 1
