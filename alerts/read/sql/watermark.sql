-- How far the dollars of decisions have come.
-- Returns: newest_ns UInt64, the newest second by now of which anything is known, 0 where there is none; attributed_ns
-- UInt64, what was received before it is in the dollars, 0 where attribution never ran; always one row.
SELECT
    (SELECT max(second_ns) FROM revenue_cells WHERE second_ns <= {now_ns:UInt64}) AS newest_ns,
    (SELECT max(cursor_ns) FROM job_cursors WHERE job = 'attribution') AS attributed_ns
