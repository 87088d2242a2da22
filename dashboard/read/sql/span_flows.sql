-- Which packets carried which span of one decision, with the ends of each connection.
-- FINAL looks at every part of every day where names lie apart, so the latest of a key is chosen here, from the days of
-- the decision; the keys of connections are looked up before it.
-- Returns: the columns below; client and server are empty where the flow itself was not kept.
WITH
carried AS
(
    SELECT trace_id, span_id, flow_hash FROM span_flows
    WHERE decision_id = {decision_id:String} AND from_ns >= {from_ns:UInt64} AND from_ns < {to_ns:UInt64}
),
kept AS
(
    SELECT first_ns, flow_hash FROM flows WHERE flow_hash IN (SELECT flow_hash FROM carried)
)
SELECT
    links.span_id AS span_id,
    links.flow_hash AS flow_hash,
    links.from_ns AS from_ns,
    links.to_ns AS to_ns,
    links.packets AS packets,
    links.wire_ns AS wire_ns,
    toString(links.method) AS method,
    links.confidence AS confidence,
    ends.client_address AS client_address,
    ends.client_port AS client_port,
    ends.server_address AS server_address,
    ends.server_port AS server_port,
    ends.retransmissions AS retransmissions,
    ends.zero_windows AS zero_windows
FROM
(
    SELECT span_id, flow_hash, from_ns, to_ns, packets, wire_ns, method, confidence
    FROM
    (
        SELECT * FROM span_flows
        WHERE (trace_id, span_id, flow_hash) IN carried AND from_ns >= {from_ns:UInt64} AND from_ns < {to_ns:UInt64}
        ORDER BY linked_ns DESC
        LIMIT 1 BY trace_id, span_id, flow_hash
    )
    WHERE decision_id = {decision_id:String}
) AS links
LEFT JOIN
(
    SELECT
        flow_hash,
        argMax(client_address, last_ns) AS client_address,
        argMax(client_port, last_ns) AS client_port,
        argMax(server_address, last_ns) AS server_address,
        argMax(server_port, last_ns) AS server_port,
        argMax(retransmissions, last_ns) AS retransmissions,
        argMax(zero_windows, last_ns) AS zero_windows
    FROM flows FINAL
    WHERE (first_ns, flow_hash) IN kept
    GROUP BY flow_hash
) AS ends ON links.flow_hash = ends.flow_hash
ORDER BY from_ns, span_id
