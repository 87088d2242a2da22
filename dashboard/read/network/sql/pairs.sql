-- Who spoke with whom in a range: the kept connections by client, server and its port; most sent again first.
-- Returns: the columns below; a round trip is null where none was seen. `decision_id` is of the exchange that took
--   longest, empty where none is linked to a span.
WITH
kept AS
(
    SELECT
        flow_hash,
        client_address,
        server_address,
        server_port,
        sum(packets) AS packets,
        sum(wire_bytes) AS wire_bytes,
        sum(retransmissions) AS retransmissions,
        sum(zero_windows) AS zero_windows,
        min(handshake_rtt_ns) AS handshake_ns
    FROM flows FINAL
    WHERE last_ns >= {from_ns:UInt64} AND first_ns < {to_ns:UInt64}
    GROUP BY flow_hash, client_address, server_address, server_port
),
exchanged AS
(
    SELECT
        links.flow_hash AS flow_hash,
        count() AS exchanges,
        groupArrayIf(assumeNotNull(times.rtt_ns), times.rtt_ns IS NOT NULL) AS rtts_ns,
        max(links.wire_ns) AS longest_ns,
        argMax(links.decision_id, ifNull(links.wire_ns, 0)) AS decision_id
    FROM
    (
        SELECT trace_id, span_id, flow_hash, decision_id, wire_ns FROM span_flows FINAL
        WHERE from_ns >= {from_ns:UInt64} AND from_ns < {to_ns:UInt64}
    ) AS links
    LEFT JOIN
    (
        SELECT trace_id, span_id, rtt_ns FROM wire_times FINAL
        -- A span begins before its packets, by less than a minute.
        WHERE start_ns + 60000000000 >= {from_ns:UInt64} AND start_ns < {to_ns:UInt64}
    ) AS times ON times.trace_id = links.trace_id AND times.span_id = links.span_id
    GROUP BY links.flow_hash
)
SELECT
    client_address,
    server_address,
    server_port,
    count() AS connections,
    sum(packets) AS packets,
    sum(wire_bytes) AS wire_bytes,
    sum(retransmissions) AS retransmissions,
    sum(zero_windows) AS zero_windows,
    countIf(handshake_ns IS NOT NULL) AS handshakes,
    if(handshakes = 0, NULL, toUInt64(quantileExact(0.5)(handshake_ns))) AS handshake_p50_ns,
    sum(exchanged.exchanges) AS exchanges,
    arrayReduce('groupArrayArray', groupArray(exchanged.rtts_ns)) AS rtts_ns,
    length(rtts_ns) AS rtts,
    if(rtts = 0, NULL, toUInt64(arrayReduce('quantileExact(0.5)', rtts_ns))) AS rtt_p50_ns,
    if(rtts = 0, NULL, toUInt64(arrayReduce('quantileExact(0.95)', rtts_ns))) AS rtt_p95_ns,
    argMax(exchanged.decision_id, ifNull(exchanged.longest_ns, 0)) AS decision_id
FROM kept
LEFT JOIN exchanged ON exchanged.flow_hash = kept.flow_hash
GROUP BY client_address, server_address, server_port
ORDER BY retransmissions / greatest(packets, 1) DESC, packets DESC, client_address, server_address, server_port
LIMIT {rows_max:UInt64}
