-- How often calls of some services and names were answered by a span of the other side.
-- Returns: service_name, span_name String; calls, answered UInt64; unordered.
SELECT
    toString(c.service_name) AS service_name, toString(c.span_name) AS span_name,
    count() AS calls, countIf(a.parent_span_id != '') AS answered
FROM
(
    SELECT ingress_ns, decision_id, span_id, service_name, span_name
    FROM path_spans
    WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
        AND span_kind IN ('Client', 'Producer') AND class = 'network'
        AND (toString(service_name), toString(span_name)) IN {calls:Array(Tuple(String, String))}
    ORDER BY ingress_ns DESC
    LIMIT {calls_max:UInt64}
) AS c
LEFT JOIN
(
    SELECT DISTINCT ingress_ns, decision_id, parent_span_id
    FROM path_spans
    WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
        AND span_kind IN ('Server', 'Consumer')
) AS a ON a.ingress_ns = c.ingress_ns AND a.decision_id = c.decision_id
    AND a.parent_span_id = c.span_id
GROUP BY service_name, span_name
