-- What one decision earned, found by its id or by its outcome key; each id at its latest revision.
-- Returns: outcome_id, kind String, converted UInt8, revenue, margin Nullable(Decimal), currency String,
--   event_ns UInt64; by time.
SELECT
    outcome_id, toString(kind) AS kind, converted, revenue, margin,
    toString(currency) AS currency, event_ns
FROM outcomes FINAL
WHERE decision_id = {decision_id:String}
    OR (decision_id = '' AND outcome_key != '' AND outcome_key = {outcome_key:String})
ORDER BY event_ns, outcome_id
