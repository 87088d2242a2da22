-- The route that most decisions of one class took in [from_ns, end_ns).
-- Returns: route String; no rows where none carries a route.
SELECT route
FROM decisions FINAL
WHERE ingress_ns >= {from_ns:UInt64}
    AND ingress_ns < {end_ns:UInt64}
    AND {action:String} IN ('*', action)
    AND {region:String} IN ('*', region)
    AND route != ''
GROUP BY route
ORDER BY count() DESC, route
LIMIT 1
