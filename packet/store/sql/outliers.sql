-- Decisions received in (after_ns, until_ns] that took longer than the limit of their action.
-- Parameters: actions Array(String), limits_ns Array(Float64) beside it; those of other actions are
-- not looked at. from_ns: what began before is not looked at either.
-- Returns: trace_id String, action String, ingress_ns UInt64, end_ns UInt64; the slowest first, at
-- most rows_max.
SELECT trace_id, action, ingress_ns, end_ns
FROM decisions FINAL
WHERE ingress_ns >= {from_ns:UInt64}
    AND received_ns > {after_ns:UInt64} AND received_ns <= {until_ns:UInt64}
    AND has({actions:Array(String)}, action)
    AND end_ns - ingress_ns
        > transform(action, {actions:Array(String)}, {limits_ns:Array(Float64)}, 0.)
ORDER BY end_ns - ingress_ns DESC, trace_id
LIMIT {rows_max:UInt32}
