-- Why: one row a sealed event with what is said of it; a hole in a chain is one row over all its numbers, which
-- an event that comes after all takes back. Nothing but the job of provenance writes it
-- Sorted: chain, number. item_id is empty for what holds its number, so that a later word on it replaces the row
-- Read by: dashboard (health), `millworth verify provenance --verdicts`. Always with FINAL
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS provenance_events${local} ${on_cluster} (
    producer String CODEC(ZSTD(1)),
    epoch String CODEC(ZSTD(1)),
    seq Int64 CODEC(Delta(8), ZSTD(1)) COMMENT '-1 where the event says none',
    item_id String CODEC(ZSTD(1)) COMMENT 'of what does not hold its number: span and arrival, or a run of numbers',
    verdict LowCardinality(String) COMMENT 'ok, tampered, replayed, reordered, missing, unsigned, rechained, bad_checkpoint',
    count UInt64 CODEC(ZSTD(1)) COMMENT 'events, or numbers from seq on',
    reason LowCardinality(String),
    kid LowCardinality(String),
    trace_id String CODEC(ZSTD(1)),
    span_id String CODEC(ZSTD(1)),
    ended_ns UInt64 CODEC(Delta(8), ZSTD(1)) COMMENT 'when the decision ended, 0 where it is not here',
    received_ns UInt64 CODEC(Delta(8), ZSTD(1)) COMMENT 'when it arrived; of a hole, when it was seen',
    revision UInt64 CODEC(Delta(8), ZSTD(1)) COMMENT 'the instant up to which arrivals had been judged',
    INDEX idx_trace_id trace_id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_received received_ns TYPE minmax GRANULARITY 1
) ENGINE = ${replicated}ReplacingMergeTree(revision)
PARTITION BY toDate(toDateTime(intDiv(received_ns, 1000000000)))
ORDER BY (producer, epoch, seq, item_id)
TTL toDateTime(intDiv(received_ns, 1000000000)) + INTERVAL 30 DAY
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1
