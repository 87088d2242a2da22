-- Why: what the head of the audit's chain beside the log says is the last row has to outlive a power cut as it does
-- Sorted: as before
-- Read by: as before
-- Blocking: no, a setting is metadata.
ALTER TABLE audit${local} ${on_cluster} MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1
