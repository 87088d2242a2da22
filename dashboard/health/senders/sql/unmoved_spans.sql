-- Decisions that began since an instant and have spans whose clock is too far off to be put right.
-- Returns: action, region String, decisions UInt64, example String (the newest's id); the most first, at most 10.
SELECT toString(action) AS action, toString(region) AS region, count() AS decisions, argMax(decision_id, ingress_ns) AS example
FROM attributions FINAL
WHERE ingress_ns > {after_ns:UInt64} AND has(flags, 'skew_too_large')
GROUP BY action, region
ORDER BY decisions DESC, action, region
LIMIT 10
