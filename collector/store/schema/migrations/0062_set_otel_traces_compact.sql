-- Why: a new part of one segment, some 25 MB before compression, is written as one file and not as one for each of 80
-- columns and sub-columns: 2 us a span less at insert, fsync included. What merges make of it is larger and wide as before,
-- because a merge that writes compact costs 1 us a span more
-- Sorted: as before
-- Read by: as before
-- Blocking: no, a setting is metadata; parts that are there stay as they are.
ALTER TABLE otel_traces${local} ${on_cluster} MODIFY SETTING min_bytes_for_wide_part = 67108864
