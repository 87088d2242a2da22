-- Outcomes as they count now.
-- Returns: the columns below; one row for each of the ids that is stored, unordered.
SELECT
    outcome_id, toString(kind) AS kind, decision_id, outcome_key, converted, revenue, margin,
    toString(currency) AS currency, toString(channel) AS channel, event_ns
FROM outcomes FINAL
WHERE outcome_id IN (SELECT arrayJoin({outcome_ids:Array(String)}))
