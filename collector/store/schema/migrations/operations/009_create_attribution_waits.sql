-- Why: since when decisions may have arrived that are not attributed: what sums a window counts those that are missing of it
-- in the same statement, so that both are of one instant
-- Sorted: one row, out of job_cursors
-- Read by: alerts, dashboard
-- Blocking: no, a view without rows of its own.
CREATE VIEW IF NOT EXISTS attribution_waits ${on_cluster} AS
SELECT
    -- In whole seconds, and a minute sooner: a decision arrives after it began. Without anything that is put off never, so
    -- that `decisions` is not read.
    if(
        maxIf(cursor_ns, job = 'attribution_put_off_until') > maxIf(cursor_ns, job = 'attribution_put_off'),
        toUInt64(intDiv(greatest(maxIf(cursor_ns, job = 'attribution_put_off'), 60000000000), 1000000000) * 1000000000
            - 60000000000),
        18446744073709551615
    ) AS waits_ns
FROM job_cursors
