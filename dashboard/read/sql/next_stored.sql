-- When the first decision or outcome happened, or the span or log record of one, in [from, to).
-- Returns: one row: next_ns UInt64, 0 where there is none.
SELECT min(next_ns) AS next_ns
FROM
(
    SELECT start_ns AS next_ns FROM decisions WHERE start_ns >= {from_ns:UInt64} AND start_ns < {to_ns:UInt64}
    UNION ALL
    SELECT ingress_ns AS next_ns FROM decisions WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
    UNION ALL
    SELECT event_ns AS next_ns
    FROM outcomes
    WHERE event_ns >= {from_ns:UInt64} AND event_ns < {to_ns:UInt64} AND source = 'otlp'
    UNION ALL
    SELECT toUInt64(toUnixTimestamp64Nano(min(Timestamp))) AS next_ns
    FROM otel_traces
    WHERE Timestamp >= fromUnixTimestamp64Nano({from_ns:Int64})
        AND Timestamp < fromUnixTimestamp64Nano({to_ns:Int64})
    HAVING count() > 0
    UNION ALL
    SELECT toUInt64(toUnixTimestamp64Nano(min(Timestamp))) AS next_ns
    FROM otel_logs
    WHERE Timestamp >= fromUnixTimestamp64Nano({from_ns:Int64})
        AND Timestamp < fromUnixTimestamp64Nano({to_ns:Int64})
    HAVING count() > 0
)
