-- What the decisions of one page earned, by decision or by the key of their order.
-- Returns: decision_id, outcome_key String; converted UInt8; amount Nullable(Float64): margin where it is known, else
--   revenue, summed; currency String; a row a name under which outcomes came.
SELECT
    decision_id, outcome_key,
    max(converted) AS converted,
    -- A refund takes its amount off, whatever its sign.
    sum(if(kind = 'refund', -abs(toFloat64(ifNull(margin, revenue))), toFloat64(ifNull(margin, revenue)))) AS amount,
    any(toString(currency)) AS currency
FROM outcomes FINAL
WHERE outcome_id IN
    (
        SELECT outcome_id FROM outcomes WHERE decision_id IN {ids:Array(String)}
        UNION DISTINCT
        SELECT outcome_id FROM outcomes WHERE decision_id = '' AND outcome_key IN {outcome_keys:Array(String)}
    )
GROUP BY decision_id, outcome_key
