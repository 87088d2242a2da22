-- How large the decision events are that arrived in (after, until].
-- Returns: service String, events, over UInt64 (those over the budget), largest UInt64 bytes, example String (trace
--   id of the largest); services with one over the budget, the largest first, at most 100.
SELECT
    toString(ServiceName) AS service,
    count() AS events,
    countIf(bytes > {budget:UInt32}) AS over,
    max(bytes) AS largest,
    argMax(TraceId, bytes) AS example
FROM
(
    SELECT
        ServiceName,
        TraceId,
        {fixed:UInt32} + arraySum(
            (name, text) -> if(
                startsWith(name, 'decision.') OR startsWith(name, 'provenance.') OR name = 'outcome.key',
                length(text) + 1,
                0
            ),
            mapKeys(SpanAttributes),
            mapValues(SpanAttributes)
        ) AS bytes
    FROM otel_traces
    WHERE received_ns > {after_ns:UInt64}
        AND received_ns <= {until_ns:UInt64}
        AND SpanAttributes['decision.action'] != ''
)
GROUP BY service
HAVING over > 0
ORDER BY largest DESC, service
LIMIT 100
