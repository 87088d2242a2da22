-- Decisions that were taken out of the sums in a window, or put back.
-- Returns: ingress_ns UInt64, decision_id String, is_gone UInt8 (`decisions` has it no more), row_hash UInt64.
SELECT
    ingress_ns,
    decision_id,
    (ingress_ns, decision_id) NOT IN
    (
        SELECT d.ingress_ns, d.decision_id
        FROM decisions AS d
        WHERE (d.ingress_ns, d.decision_id) IN
        (
            SELECT w.ingress_ns, w.decision_id
            FROM withdrawals AS w
            WHERE w.withdrawn_ns > {after_ns:UInt64} AND w.withdrawn_ns <= {until_ns:UInt64}
        )
    ) AS is_gone,
    cityHash64(ingress_ns, decision_id, trace_id, root_span_id, received_ns, withdrawn_ns, is_gone) AS row_hash
FROM withdrawals
WHERE withdrawn_ns > {after_ns:UInt64} AND withdrawn_ns <= {until_ns:UInt64}
