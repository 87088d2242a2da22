-- Values that are none of what their attribute is, of some spans that came since an instant.
-- Parameters: names, patterns Array(String), as long as each other; items_max, of how many spans at most.
-- Returns: service, name, value String (of one of them), spans UInt64, example String (id of a trace); the most first, at most 50.
SELECT
    toString(service) AS service,
    name,
    substringUTF8(max(sent[name]), 1, 80) AS value,
    count() AS spans,
    argMax(trace_id, sent[name]) AS example
FROM
(
    SELECT ServiceName AS service, TraceId AS trace_id, SpanAttributes AS sent
    FROM otel_traces
    WHERE received_ns > {after_ns:UInt64}
    LIMIT {items_max:UInt64}
)
ARRAY JOIN arrayFilter(
    (of, pattern) -> mapContains(sent, of) AND NOT match(sent[of], pattern),
    {names:Array(String)},
    {patterns:Array(String)}
) AS name
GROUP BY service, name
ORDER BY spans DESC, service, name
LIMIT 50
