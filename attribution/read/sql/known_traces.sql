-- The traces that decisions were made of when they were attributed before.
-- Returns: trace_id String; unordered.
SELECT DISTINCT trace_id
FROM path_spans
WHERE ingress_ns IN {ingress_ns:Array(UInt64)} AND decision_id IN {decision_ids:Array(String)}
