-- Time on the critical path that the lookups of one cache took, in one of `every` decisions.
-- Returns: self_ns, decisions UInt64; one row.
SELECT
    sumIf(self_ns, is_lookup) AS self_ns,
    uniqExact(decision_id) AS decisions
FROM
(
    SELECT p.decision_id AS decision_id, p.self_ns AS self_ns, c.span_id != '' AS is_lookup
    FROM
    (
        SELECT decision_id, trace_id, span_id, self_ns FROM path_spans
        WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
            AND cityHash64(decision_id) % {every:UInt64} = 0
    ) AS p
    LEFT JOIN
    (
        SELECT DISTINCT TraceId AS trace_id, SpanId AS span_id FROM otel_traces
        WHERE Timestamp >= fromUnixTimestamp64Nano(toInt64({from_ns:UInt64}))
            AND Timestamp < fromUnixTimestamp64Nano(toInt64({to_ns:UInt64}))
            AND SpanAttributes['cache.hit'] != ''
            AND (SpanAttributes['cache.name'] = {cache:String}
                OR concat(ServiceName, ' ', SpanName) = {cache:String}
                OR concat(
                    if(SpanAttributes['db.system.name'] != '', SpanAttributes['db.system.name'],
                        SpanAttributes['db.system']), ' ',
                    if(SpanAttributes['server.address'] != '', SpanAttributes['server.address'],
                        SpanAttributes['network.peer.address']),
                    if(SpanAttributes['server.port'] != '', ':', ''), SpanAttributes['server.port'])
                    = {cache:String})
    ) AS c ON p.trace_id = c.trace_id AND p.span_id = c.span_id
)
