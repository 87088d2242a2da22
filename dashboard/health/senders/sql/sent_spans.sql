-- Names of some spans that came in (after_ns, until_ns]. One whose caller is not among them begins a trace here, though the
-- caller, such as a gateway or a browser, has a span of its own and does not send it. What receives waits for messages, and
-- calls nothing: what processes them begins a trace too.
-- Parameters: items_max, of how many spans at most; calibration String, the action of what is ours and left out.
-- Returns: service, name, kind String, is_root Bool, spans UInt64, called UInt64 (of them, that name a caller); the most
-- first, at most 500.
SELECT
    toString(ServiceName) AS service,
    toString(SpanName) AS name,
    lower(toString(SpanKind)) AS kind,
    is_root,
    count() AS spans,
    countIf(ParentSpanId != '') AS called
FROM
(
    SELECT
        ServiceName,
        SpanName,
        SpanKind,
        ParentSpanId,
        SpanAttributes['decision.action'] AS action,
        SpanAttributes['messaging.operation.type'] = 'receive'
            OR SpanAttributes['messaging.operation'] = 'receive' AS is_receive,
        ParentSpanId = '' OR NOT has(groupArrayIf(SpanId, NOT is_receive) OVER (PARTITION BY TraceId), ParentSpanId) AS is_root
    FROM
    (
        SELECT ServiceName, SpanName, SpanKind, SpanAttributes, TraceId, SpanId, ParentSpanId
        FROM otel_traces
        WHERE received_ns > {after_ns:UInt64} AND received_ns <= {until_ns:UInt64}
        LIMIT {items_max:UInt64}
    )
)
WHERE action != {calibration:String} AND NOT is_receive
GROUP BY service, name, kind, is_root
ORDER BY spans DESC, service, name, kind
LIMIT 500
