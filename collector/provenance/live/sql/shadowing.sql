-- Who holds the place of some decisions.
-- Returns: trace_id, span_id String.
SELECT trace_id, root_span_id AS span_id
FROM decisions FINAL
WHERE (ingress_ns, decision_id) IN arrayZip({ingress_ns:Array(UInt64)}, {decision_ids:Array(String)})
