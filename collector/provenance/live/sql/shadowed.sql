-- Events of (after, until] whose seals hold, and whose decisions nobody who reads `decisions` sees.
-- Returns: trace_id, span_id String, received_ns UInt64; a page of `limit` rows behind a trace and span, in their order.
SELECT trace_id, span_id, p.received_ns AS received_ns
FROM provenance_events AS p FINAL
WHERE p.received_ns > {after_ns:UInt64}
    AND p.received_ns <= {until_ns:UInt64}
    AND verdict IN ('ok', 'reordered')
    AND trace_id != ''
    AND (trace_id, span_id) > ({after_trace:String}, {after_span:String})
    AND (trace_id, span_id) NOT IN
    (
        SELECT trace_id, root_span_id
        FROM decisions FINAL
        WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns <= {to_ns:UInt64}
    )
ORDER BY trace_id, span_id, received_ns
LIMIT {limit:UInt32}
