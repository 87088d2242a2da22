-- The outcomes that name the decisions of some seconds, by id or by key.
-- Returns: the columns below; by outcome_id, kind. Amounts are null where they are not known, and where
-- the currency is not the one that values are stated in.
WITH named AS
(
    SELECT decision_id, outcome_key FROM decisions
    WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
        AND intDiv(ingress_ns, 1000000000) * 1000000000 IN {seconds_ns:Array(UInt64)}
)
SELECT
    decision_id,
    outcome_key,
    toString(kind) AS kind,
    converted,
    if(currency = {currency:String}, o.revenue, NULL) AS revenue,
    if(currency = {currency:String}, o.margin, NULL) AS margin,
    toInt64(event_ns) AS event_ns
FROM outcomes AS o FINAL
WHERE received_ns >= {received_from_ns:UInt64}
    AND (decision_id IN (SELECT decision_id FROM named)
        OR (decision_id = ''
            AND outcome_key IN (SELECT outcome_key FROM named WHERE outcome_key != '')))
ORDER BY outcome_id, kind
