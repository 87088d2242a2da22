-- The traces that decisions were made of when they were attributed before.
-- Returns: trace_id String; unordered.
SELECT DISTINCT arrayJoin(if(empty(span_trace), [trace_id], span_trace)) AS trace_id
FROM path_columns
WHERE ingress_ns IN {ingress_ns:Array(UInt64)} AND decision_id IN (SELECT arrayJoin({decision_ids:Array(String)}))
