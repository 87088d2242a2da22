-- Calls from one host to another, both of whose spans are stored, served in [from_ns, to_ns).
-- Returns: client_host String, server_host String, client_start_ns, client_end_ns, server_start_ns,
-- server_end_ns Int64, client_synced String, server_synced String (clock.synced, empty for unknown); at
-- most rows_max, by a hash that favours no time.
SELECT
    client.host AS client_host,
    server.host AS server_host,
    client.start_ns AS client_start_ns,
    client.end_ns AS client_end_ns,
    server.start_ns AS server_start_ns,
    server.end_ns AS server_end_ns,
    client.synced AS client_synced,
    server.synced AS server_synced
FROM
(
    SELECT
        TraceId AS trace_id,
        ParentSpanId AS parent_span_id,
        ResourceAttributes['host.name'] AS host,
        ResourceAttributes['clock.synced'] AS synced,
        toUnixTimestamp64Nano(Timestamp) AS start_ns,
        start_ns + toInt64(Duration) AS end_ns
    FROM otel_traces
    WHERE SpanKind = 'Server' AND host != ''
        AND Timestamp >= fromUnixTimestamp64Nano(toInt64({from_ns:UInt64}))
        AND Timestamp < fromUnixTimestamp64Nano(toInt64({to_ns:UInt64}))
    LIMIT 1 BY TraceId, SpanId
) AS server
INNER JOIN
(
    SELECT
        TraceId AS trace_id,
        SpanId AS span_id,
        ResourceAttributes['host.name'] AS host,
        ResourceAttributes['clock.synced'] AS synced,
        toUnixTimestamp64Nano(Timestamp) AS start_ns,
        start_ns + toInt64(Duration) AS end_ns
    FROM otel_traces
    WHERE SpanKind = 'Client' AND host != ''
        -- The two clocks may differ, which is what is asked.
        AND Timestamp >= fromUnixTimestamp64Nano(toInt64({from_ns:UInt64} - {reach_ns:UInt64}))
        AND Timestamp < fromUnixTimestamp64Nano(toInt64({to_ns:UInt64} + {reach_ns:UInt64}))
    LIMIT 1 BY TraceId, SpanId
) AS client ON client.trace_id = server.trace_id AND client.span_id = server.parent_span_id
WHERE client.host != server.host
ORDER BY cityHash64(server.trace_id, server.start_ns)
LIMIT {rows_max:UInt32}
