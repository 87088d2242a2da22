-- The roots of some traces that began in [from_ns, to_ns), those of most traces first, and what serves a caller that does
-- not send its own span, such as a gateway or a browser; where one is called by its HTTP method alone, by the attribute that
-- says of what.
-- Returns: service, span_name, kind, attribute, value String, traces UInt64; at most three rows. The attribute is '' for
-- none, as its value.
SELECT
    toString(ServiceName) AS service,
    toString(SpanName) AS span_name,
    toString(SpanKind) AS kind,
    if(
        match(span_name, '^(HTTP )?[A-Z]+$'),
        arrayFirst(of -> SpanAttributes[of] != '', ['http.route', 'url.path', 'http.target']),
        ''
    ) AS attribute,
    if(attribute = '', '', SpanAttributes[attribute]) AS value,
    count() AS traces
FROM
(
    SELECT *, groupArray(SpanId) OVER (PARTITION BY TraceId) AS beside
    FROM
    (
        SELECT ServiceName, SpanName, SpanKind, SpanAttributes, TraceId, SpanId, ParentSpanId
        FROM otel_traces
        WHERE Timestamp >= fromUnixTimestamp64Nano({from_ns:Int64})
            AND Timestamp < fromUnixTimestamp64Nano({to_ns:Int64})
        LIMIT 50000
    )
)
WHERE ParentSpanId = '' OR (SpanKind IN ('Server', 'Consumer') AND NOT has(beside, ParentSpanId))
GROUP BY service, span_name, kind, attribute, value
ORDER BY traces DESC, service, span_name, kind, attribute, value
LIMIT 3
