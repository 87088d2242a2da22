-- How far each job has read.
-- Returns: job String, cursor_ns UInt64; by job.
SELECT toString(job) AS job, max(cursor_ns) AS cursor_ns
FROM job_cursors
GROUP BY job
ORDER BY job
