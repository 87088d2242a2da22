-- The decisions of one trace.
-- Returns: decision_id String; by ingress; no rows when the trace decided nothing.
SELECT decision_id
FROM decisions FINAL
WHERE trace_id = {trace_id:String}
ORDER BY ingress_ns, decision_id
