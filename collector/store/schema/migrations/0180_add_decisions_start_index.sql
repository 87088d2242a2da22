-- Why: a window of decisions by their begin read the whole table, since it is sorted by ingress
-- Sorted: as before
-- Read by: dashboard (rows that are held against their events)
-- Blocking: no, an index is metadata; parts that are there get it when they are merged.
ALTER TABLE decisions${local} ${on_cluster} ADD INDEX IF NOT EXISTS idx_start start_ns TYPE minmax GRANULARITY 1
