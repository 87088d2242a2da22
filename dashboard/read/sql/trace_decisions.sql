-- The decisions of one trace.
-- Returns: decision_id String, ingress_ns UInt64; by ingress; no rows when the trace decided nothing.
SELECT decision_id, ingress_ns
FROM decisions FINAL
WHERE trace_id = {trace_id:String}
ORDER BY ingress_ns, decision_id
