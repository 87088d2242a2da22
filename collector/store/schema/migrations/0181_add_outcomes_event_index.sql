-- Why: a window of outcomes by their time read a whole month, since they are sorted by id; where ids rise with time it
-- reads the window
-- Sorted: as before
-- Read by: dashboard (rows that are held against their events)
-- Blocking: no, an index is metadata; parts that are there get it when they are merged.
ALTER TABLE outcomes${local} ${on_cluster} ADD INDEX IF NOT EXISTS idx_event event_ns TYPE minmax GRANULARITY 1
