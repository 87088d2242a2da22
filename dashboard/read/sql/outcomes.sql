-- What one decision earned, found by its id or by its outcome key, of which there is one or none; each id at its
-- latest revision. FINAL looks at every part where names lie apart, so the ids of outcomes are looked up before it;
-- identity, since with an index of another column it would look at all rows beside those found.
-- Returns: outcome_id, kind String, converted UInt8, is_sale Bool, revenue, margin Nullable(Decimal), currency String,
--   event_ns UInt64; by time.
SELECT
    outcome_id, toString(kind) AS kind, converted, is_sale, revenue, margin,
    toString(currency) AS currency, event_ns
FROM outcomes FINAL
WHERE outcome_id IN
    (
        SELECT outcome_id FROM outcomes WHERE decision_id = {decision_id:String}
        UNION DISTINCT
        SELECT outcome_id FROM outcomes WHERE decision_id = '' AND outcome_key IN {outcome_keys:Array(String)}
    )
    AND (identity(decision_id) = {decision_id:String}
        OR (identity(decision_id) = '' AND identity(outcome_key) IN {outcome_keys:Array(String)}))
ORDER BY event_ns, outcome_id
