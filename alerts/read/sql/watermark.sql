-- How far the dollars of decisions have come.
-- Returns: newest_ns UInt64, the newest second by now of which anything is known, 0 where there is none; cursors
-- Map(String, UInt64), what was received before one is done by the job; always one row.
SELECT
    (SELECT max(second_ns) FROM revenue_cells WHERE second_ns <= {now_ns:UInt64}) AS newest_ns,
    (SELECT CAST(groupArray((toString(job), cursor_ns)), 'Map(String, UInt64)')
        FROM (SELECT job, max(cursor_ns) AS cursor_ns FROM job_cursors WHERE job LIKE 'attribution%' GROUP BY job))
        AS cursors
