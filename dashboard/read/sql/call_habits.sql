-- How often calls of some services and names were answered by a span of the other side, of the newest calls.
-- Returns: service_name, span_name String; calls, answered UInt64; unordered.
SELECT service_name, span_name, count() AS calls, countIf(is_answered) AS answered
FROM
(
    SELECT
        toString(service) AS service_name, toString(name) AS span_name,
        -- Kinds as in path_spans: a server or a consumer answers a client or a producer.
        has(arrayFilter((above, other) -> bitAnd(other, 7) IN (2, 5), parent, marks), place - 1) AS is_answered
    FROM path_columns
    ARRAY JOIN
        path_columns.service_name AS service, path_columns.span_name AS name, marks AS mark, traits AS trait,
        arrayEnumerate(parent) AS place
    WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
        AND bitAnd(mark, 7) IN (3, 4) AND bitAnd(trait, 3) = 0
        AND (toString(service), toString(name)) IN {calls:Array(Tuple(String, String))}
    ORDER BY ingress_ns DESC
    LIMIT 1 BY ingress_ns, decision_id, place
    LIMIT {calls_max:UInt64}
)
GROUP BY service_name, span_name
