-- How much of what money is summed from can be held against what was sent, for [from, to).
-- Returns: one row: decisions, outcomes, imported UInt64 (outcomes of files, which have no record to compare).
SELECT
    (
        SELECT count() FROM decisions
        WHERE start_ns >= {from_ns:UInt64} AND start_ns < {to_ns:UInt64}
    ) AS decisions,
    (
        SELECT count() FROM outcomes
        WHERE event_ns >= {from_ns:UInt64} AND event_ns < {to_ns:UInt64} AND source = 'otlp'
    ) AS outcomes,
    (
        SELECT count() FROM outcomes
        WHERE event_ns >= {from_ns:UInt64} AND event_ns < {to_ns:UInt64} AND source != 'otlp'
    ) AS imported
