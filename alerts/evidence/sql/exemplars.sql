-- The slowest decisions of one class that began in [from_ns, end_ns), the slowest first; of a class of which a fifth
-- fails and more, those that failed before the others; where is_of_failures is 1, of those alone.
-- Returns: decision_id String; at most `limit` rows.
SELECT decision_id
FROM attributions FINAL
WHERE ingress_ns >= {from_ns:UInt64}
    AND ingress_ns < {end_ns:UInt64}
    AND action = {action:String}
    AND region = {region:String}
    AND (is_error OR {is_of_failures:UInt8} = 0)
ORDER BY
    is_error AND (
        SELECT avg(is_error) >= 0.2 FROM attributions FINAL
        WHERE ingress_ns >= {from_ns:UInt64}
            AND ingress_ns < {end_ns:UInt64}
            AND action = {action:String}
            AND region = {region:String}
    ) DESC,
    total_ns DESC,
    decision_id
LIMIT {limit:UInt8}
