-- The roots of traces that began in [from_ns, to_ns), those of most traces first.
-- Returns: service, span_name, kind String, traces UInt64; at most three rows.
SELECT
    toString(ServiceName) AS service,
    toString(SpanName) AS span_name,
    toString(SpanKind) AS kind,
    count() AS traces
FROM otel_traces
WHERE Timestamp >= fromUnixTimestamp64Nano({from_ns:Int64})
    AND Timestamp < fromUnixTimestamp64Nano({to_ns:Int64})
    AND ParentSpanId = ''
GROUP BY service, span_name, kind
ORDER BY traces DESC, service, span_name, kind
LIMIT 3
