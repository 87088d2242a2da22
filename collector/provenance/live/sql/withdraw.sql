-- Notes decisions that are taken out of every sum, as the rows of `decisions` have them.
-- Returns: nothing.
INSERT INTO withdrawals
(
    ingress_ns, decision_id, trace_id, root_span_id, received_ns, withdrawn_ns, is_back, verdict, reason, value_usd
)
SELECT
    ingress_ns, decision_id, trace_id, root_span_id, d.received_ns AS received_ns, {now_ns:UInt64} AS withdrawn_ns,
    {is_back:UInt8} AS is_back, {verdict:String} AS verdict, {reason:String} AS reason, value_usd
FROM decisions AS d
WHERE trace_id IN {trace_ids:Array(String)}
    AND (trace_id, root_span_id, d.received_ns)
    IN arrayZip({trace_ids:Array(String)}, {span_ids:Array(String)}, {received_ns:Array(UInt64)})
