-- The roots of traces that began in [from_ns, to_ns), those of most traces first; where a root is called by its HTTP method
-- alone, by the attribute that says of what.
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
FROM otel_traces
WHERE Timestamp >= fromUnixTimestamp64Nano({from_ns:Int64})
    AND Timestamp < fromUnixTimestamp64Nano({to_ns:Int64})
    AND ParentSpanId = ''
GROUP BY service, span_name, kind, attribute, value
ORDER BY traces DESC, service, span_name, kind, attribute, value
LIMIT 3
