-- Spans of one end of a connection that overlap [from_ns, to_ns], those that name both ports, or all
-- where portless is set, but those that say they stayed on their machine (a Unix socket, a pipe, SQLite); only those of the given traces and of the given pairs of ports (the lower port times 65536 plus the higher one),
-- where these are not empty; of one host and of none where a host is given. A span longer than
-- reach_ns may be left out.
-- Returns: trace_id String, span_id String, decision_id String (empty for none; of several roots in
-- a trace the last that began before the span), is_server Bool, start_ns UInt64, end_ns UInt64,
-- local_port UInt16, peer_port UInt16 (0 where not named), peer_address String, parent_span_id String,
-- clock String, clock_error_ns UInt64 (0 where its clock does not say); each span once, in order of time.
SELECT
    trace_id,
    span_id,
    multiIf(
        empty(roots), '',
        arrayLastIndex(root -> root.1 <= start_ns, roots) = 0, roots[1].2,
        roots[arrayLastIndex(root -> root.1 <= start_ns, roots)].2
    ) AS decision_id,
    is_server,
    start_ns,
    end_ns,
    local_port,
    peer_port,
    peer_address,
    parent_span_id,
    clock,
    clock_error_ns
FROM
(
    SELECT
        TraceId AS trace_id,
        SpanId AS span_id,
        ParentSpanId AS parent_span_id,
        ResourceAttributes['host.name'] AS clock,
        toUInt64OrZero(extract(ResourceAttributes['clock.error_ns'], '^[0-9]{1,18}$')) AS clock_error_ns,
        SpanKind IN ('Server', 'Consumer') AS is_server,
        toUInt64(toUnixTimestamp64Nano(Timestamp)) AS start_ns,
        start_ns + Duration AS end_ns,
        toUInt16OrZero(arrayFirst(value -> value != '', arrayMap(
            name -> SpanAttributes[name],
            if(is_server, {server_local_port:Array(String)}, {client_local_port:Array(String)})
        ))) AS local_port,
        toUInt16OrZero(arrayFirst(value -> value != '', arrayMap(
            name -> SpanAttributes[name],
            if(is_server, {server_peer_port:Array(String)}, {client_peer_port:Array(String)})
        ))) AS peer_port,
        arrayFirst(value -> value != '', arrayMap(
            name -> SpanAttributes[name],
            if(is_server, {server_peer_address:Array(String)}, {client_peer_address:Array(String)})
        )) AS peer_address,
        least(local_port, peer_port) * toUInt32(65536) + greatest(local_port, peer_port) AS port_pair
    FROM otel_traces
    WHERE SpanKind IN ('Server', 'Client', 'Producer', 'Consumer')
        AND Timestamp >= fromUnixTimestamp64Nano(toInt64({from_ns:UInt64} - {reach_ns:UInt64}))
        AND Timestamp <= fromUnixTimestamp64Nano(toInt64({to_ns:UInt64}))
        AND end_ns >= {from_ns:UInt64}
        -- What arrived long before the range cannot overlap it; this is what the index is on.
        AND received_ns >= {from_ns:UInt64} - {reach_ns:UInt64}
        AND (empty({trace_ids:Array(String)}) OR TraceId IN {trace_ids:Array(String)})
        AND ((local_port != 0 AND peer_port != 0) OR ({portless:Bool}
            AND SpanAttributes['network.transport'] NOT IN ('unix', 'pipe')
            AND SpanAttributes['net.transport'] NOT IN ('pipe', 'inproc', 'unix')
            AND SpanAttributes['db.system.name'] != 'sqlite' AND SpanAttributes['db.system'] != 'sqlite'))
        AND ({host:String} = '' OR ResourceAttributes['host.name'] IN ('', {host:String}))
        AND (empty({port_pairs:Array(UInt32)}) OR port_pair IN {port_pairs:Array(UInt32)})
    ORDER BY received_ns
    LIMIT 1 BY TraceId, SpanId
) AS spans
LEFT JOIN
(
    SELECT trace_id, arraySort(groupArray((ingress_ns, decision_id))) AS roots
    FROM decisions FINAL
    WHERE ingress_ns >= {from_ns:UInt64} - {reach_ns:UInt64}
        AND ingress_ns <= {to_ns:UInt64} + {reach_ns:UInt64}
    GROUP BY trace_id
) AS decided USING (trace_id)
ORDER BY start_ns, trace_id, span_id
