-- What 99.9 % of an action's decisions took that began from from_ns on and were received by until_ns;
-- of an action that decided often enough for that figure.
-- Returns: action String, usual_ns UInt64; by action.
SELECT action, toUInt64(quantile(0.999)(end_ns - ingress_ns)) AS usual_ns
FROM decisions FINAL
WHERE ingress_ns >= {from_ns:UInt64} AND received_ns <= {until_ns:UInt64}
GROUP BY action
HAVING count() >= {decisions_min:UInt32}
ORDER BY action
