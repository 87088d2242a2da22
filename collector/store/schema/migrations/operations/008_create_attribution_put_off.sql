-- Why: where more comes than can be attributed at once, what came last goes first; this says what was passed over, so that
-- it is done when there is time, whoever runs then
-- Sorted: by arrival, as it is worked off; how far that is says the cursor attribution_put_off
-- Read by: attribution, alerts, pages
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS attribution_put_off${local} ${on_cluster} (
    after_ns UInt64 COMMENT 'what was received after it ...',
    until_ns UInt64 COMMENT '... and by then was passed over',
    put_off_ns UInt64 COMMENT 'when'
) ENGINE = ${replicated}MergeTree
PARTITION BY toDate(toDateTime(intDiv(put_off_ns, 1000000000)))
ORDER BY (until_ns, after_ns)
TTL toDateTime(intDiv(put_off_ns, 1000000000)) + INTERVAL 30 DAY
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1, fsync_part_directory = 1
