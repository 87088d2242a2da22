-- Some of the outcomes, but for refunds, that happened in a window and came since an instant, drawn by their ids, each at its latest revision.
-- FINAL looks at every row beside those that an index of another column finds, so it is asked for ids alone.
-- Returns: decision_id, outcome_key String, event_ns, received_ns Int64; unordered.
SELECT decision_id, outcome_key, toInt64(event_ns) AS event_ns, toInt64(received_ns) AS received_ns
FROM outcomes FINAL
WHERE outcome_id IN
    (
        SELECT outcome_id FROM outcomes
        WHERE event_ns >= {from_ns:UInt64} AND event_ns < {to_ns:UInt64} AND received_ns >= {received_from_ns:UInt64}
            AND kind != 'refund'
        ORDER BY cityHash64(outcome_id)
        LIMIT 1 BY outcome_id
        LIMIT {drawn:UInt64}
    )
    AND identity(event_ns) >= {from_ns:UInt64} AND identity(event_ns) < {to_ns:UInt64} AND identity(kind) != 'refund'
