-- Traces of the decisions that an alert names, received in (after_ns, until_ns].
-- Returns: trace_id String, total UInt64 (how many there are); slowest decision first, at most traces_max.
SELECT trace_id, count() OVER () AS total
FROM
(
    SELECT trace_id, max(end_ns - ingress_ns) AS latency_ns
    FROM decisions FINAL
    WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns <= {to_ns:UInt64}
        AND ({action:String} = '' OR action = {action:String})
        AND ({region:String} = '' OR region = {region:String})
        AND received_ns > {after_ns:UInt64} AND received_ns <= {until_ns:UInt64}
    GROUP BY trace_id
)
ORDER BY latency_ns DESC, trace_id
LIMIT {traces_max:UInt32}
