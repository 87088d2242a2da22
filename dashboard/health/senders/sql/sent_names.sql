-- Attributes whose names begin as ours or nearly so, of some spans and log records that came since an instant.
-- Parameters: prefixes Array(String), in lower case; words, first words that a slip may have changed; items_max, of how
--   many of each at most.
-- Returns: service, name String, items UInt64, example String (id of a trace); the most first, at most 500.
SELECT toString(service) AS service, toString(name) AS name, count() AS items, max(trace_id) AS example
FROM
(
    SELECT ServiceName AS service, TraceId AS trace_id, mapKeys(SpanAttributes) AS names
    FROM otel_traces
    WHERE received_ns > {after_ns:UInt64}
    LIMIT {items_max:UInt64}
    UNION ALL
    SELECT ServiceName AS service, TraceId AS trace_id, mapKeys(LogAttributes) AS names
    FROM otel_logs
    WHERE received_ns > {after_ns:UInt64}
        AND (EventName = 'decision.outcome' OR LogAttributes['event.name'] = 'decision.outcome')
    LIMIT {items_max:UInt64}
)
ARRAY JOIN names AS name
GROUP BY service, name
-- Last, of each name once.
HAVING arrayExists(prefix -> startsWith(lower(name), prefix), {prefixes:Array(String)})
    OR (position(name, '.') > 0 AND arrayExists(
        word -> damerauLevenshteinDistance(substringIndex(lower(name), '.', 1), word) = 1, {words:Array(String)}))
ORDER BY items DESC, service, name
LIMIT 500
