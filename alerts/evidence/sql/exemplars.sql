-- The slowest decisions of one class that began in [from_ns, end_ns), the slowest first.
-- Returns: decision_id String; at most `limit` rows.
SELECT decision_id
FROM attributions FINAL
WHERE ingress_ns >= {from_ns:UInt64}
    AND ingress_ns < {end_ns:UInt64}
    AND action = {action:String}
    AND region = {region:String}
ORDER BY total_ns DESC, decision_id
LIMIT {limit:UInt8}
