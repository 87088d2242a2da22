-- Attributes that services say of themselves and of no span, of some spans that came since an instant.
-- Parameters: names Array(String), to look for; items_max, of how many spans at most.
-- Returns: service, name String, spans UInt64, example String (id of a trace); the most first, at most 50.
SELECT toString(service) AS service, name, count() AS spans, max(trace_id) AS example
FROM
(
    SELECT ServiceName AS service, TraceId AS trace_id, SpanAttributes AS of_span, ResourceAttributes AS of_resource
    FROM otel_traces
    WHERE received_ns > {after_ns:UInt64}
    LIMIT {items_max:UInt64}
)
ARRAY JOIN {names:Array(String)} AS name
GROUP BY service, name
HAVING countIf(mapContains(of_span, name)) = 0 AND countIf(mapContains(of_resource, name)) > 0
ORDER BY spans DESC, service, name
LIMIT 50
