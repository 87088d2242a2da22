-- Why: a window of records by their time read the whole table: TimestampTime, which it is sorted by, is a column of its
-- own, and who has SQL may give it another value
-- Sorted: as before
-- Read by: dashboard (rows that are held against their events)
-- Blocking: no, an index is metadata; parts that are there get it when they are merged.
ALTER TABLE otel_logs${local} ${on_cluster} ADD INDEX IF NOT EXISTS idx_time Timestamp TYPE minmax GRANULARITY 1
