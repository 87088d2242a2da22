-- How much of what money is summed from can be held against what was sent, for [from, to).
-- Returns: one row: decisions, outcomes, imported UInt64 (outcomes of files, which have no record to compare), replaced UInt64
--   (those of files whose id a log record of this time has too: that one was sent, and this one counts).
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
    ) AS imported,
    (
        SELECT uniqExact(outcome_id) FROM outcomes
        WHERE source != 'otlp'
            AND outcome_id IN
            (
                SELECT ${attr:outcome.id:LogAttributes} FROM otel_logs
                WHERE Timestamp >= fromUnixTimestamp64Nano({from_ns:Int64})
                    AND Timestamp < fromUnixTimestamp64Nano({to_ns:Int64})
                    AND EventName = 'decision.outcome'
            )
    ) AS replaced
