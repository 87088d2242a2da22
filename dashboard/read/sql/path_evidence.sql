-- Network and store time of the spans of one decision, split by what their packets prove, or the kernel knew.
-- Returns: the columns below; by span_id; no rows where neither is known.
SELECT
    span_id, toString(stage) AS stage, toString(class) AS class, self_ns, rtt_ns, handshake_ns,
    transfer_ns, retransmission_ns, zero_window_ns, host_queue_ns, think_ns, unexplained_ns,
    toString(finding) AS finding, outside_ns, toString(method) AS method
FROM path_evidence FINAL
WHERE ingress_ns = {ingress_ns:UInt64} AND decision_id = {decision_id:String}
ORDER BY span_id
