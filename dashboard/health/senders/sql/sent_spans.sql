-- Names of some spans that came in (after_ns, until_ns].
-- Parameters: items_max, of how many spans at most.
-- Returns: service, name, kind String, is_root Bool, spans UInt64; the most first, at most 500.
SELECT
    toString(ServiceName) AS service,
    toString(SpanName) AS name,
    lower(toString(SpanKind)) AS kind,
    ParentSpanId = '' AS is_root,
    count() AS spans
FROM
(
    SELECT ServiceName, SpanName, SpanKind, ParentSpanId
    FROM otel_traces
    WHERE received_ns > {after_ns:UInt64} AND received_ns <= {until_ns:UInt64}
    LIMIT {items_max:UInt64}
)
GROUP BY service, name, kind, is_root
ORDER BY spans DESC, service, name, kind
LIMIT 500
