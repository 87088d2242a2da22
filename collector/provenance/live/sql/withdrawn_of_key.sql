-- Decisions that are taken out of every sum, and whose events hold again.
-- Returns: trace_id, span_id String, received_ns UInt64.
SELECT trace_id, root_span_id AS span_id, w.received_ns AS received_ns
FROM withdrawals AS w FINAL
WHERE is_back = 0
    AND (trace_id, root_span_id, w.received_ns) IN
    (
        SELECT trace_id, span_id, received_ns
        FROM provenance_events FINAL
        WHERE kid = {kid:String} AND verdict IN ('ok', 'reordered')
    )
