-- What one decision earned, found by its id or by its outcome key, of which there is one or none; each id at its
-- latest revision. FINAL looks at every part where names lie apart, so the ids of outcomes are looked up before it.
-- Returns: outcome_id, kind String, converted UInt8, revenue, margin Nullable(Decimal), currency String,
--   event_ns UInt64; by time.
SELECT
    outcome_id, toString(kind) AS kind, converted, revenue, margin,
    toString(currency) AS currency, event_ns
FROM outcomes FINAL
WHERE outcome_id IN
    (
        SELECT outcome_id FROM outcomes
        WHERE decision_id = {decision_id:String}
            OR (decision_id = '' AND outcome_key IN {outcome_keys:Array(String)})
    )
    AND (decision_id = {decision_id:String}
        OR (decision_id = '' AND outcome_key IN {outcome_keys:Array(String)}))
ORDER BY event_ns, outcome_id
