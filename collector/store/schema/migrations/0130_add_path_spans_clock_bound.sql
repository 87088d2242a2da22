-- Why: by how much a span's place in its parent may be wrong, because two clocks stamped them
-- Sorted: as path_spans
-- Read by: dashboard (waterfall)
-- Blocking: no, a column with a default.
ALTER TABLE path_spans${local} ${on_cluster}
    ADD COLUMN IF NOT EXISTS clock_bound_ns Nullable(UInt64)
    COMMENT '0 where one clock stamped a span and its parent, null where the bound is unknown'
    AFTER shift_ns
