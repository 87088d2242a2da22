-- How many decisions of every class that began in [from_ns, end_ns) took longer than a target.
-- Returns: action, region String, decisions, slow, newest_ns UInt64; a row a class that decided anything.
SELECT
    action,
    region,
    count() AS decisions,
    countIf(total_ns > {target_ns:UInt64}) AS slow,
    max(ingress_ns) AS newest_ns
FROM attributions FINAL
WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {end_ns:UInt64}
GROUP BY action, region
