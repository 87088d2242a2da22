-- Why: how far each job has read, by received_ns; a restart resumes there
-- Sorted: job
-- Read by: every job at its start
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS job_cursors${local} ${on_cluster} (
    job LowCardinality(String),
    cursor_ns UInt64
) ENGINE = ${replicated}ReplacingMergeTree(cursor_ns)
ORDER BY job
