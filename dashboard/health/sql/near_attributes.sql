-- Attributes in the names of ours that are none of ours, of some spans that came since an instant.
-- Parameters: prefixes, ours Array(String); spans_max, of how many spans at most.
-- Returns: service, name String, spans UInt64, example String (id of a trace); the most first, at most 50.
SELECT toString(service) AS service, toString(name) AS name, count() AS spans, any(trace_id) AS example
FROM
(
    SELECT ServiceName AS service, TraceId AS trace_id, mapKeys(SpanAttributes) AS names
    FROM otel_traces
    WHERE received_ns > {after_ns:UInt64}
    LIMIT {spans_max:UInt64}
)
ARRAY JOIN names AS name
WHERE arrayExists(prefix -> startsWith(lower(toString(name)), prefix), {prefixes:Array(String)})
    AND NOT has({ours:Array(String)}, toString(name))
GROUP BY service, name
ORDER BY spans DESC, service, name
LIMIT 50
