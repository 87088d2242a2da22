-- When the next decision or outcome happened, or the span or log record of one, from an instant on.
-- Returns: one row: next_ns UInt64, 0 where there is none.
SELECT min(next_ns) AS next_ns
FROM
(
    SELECT start_ns AS next_ns FROM decisions WHERE start_ns >= {from_ns:UInt64}
    UNION ALL
    SELECT ingress_ns AS next_ns FROM decisions WHERE ingress_ns >= {from_ns:UInt64}
    UNION ALL
    SELECT event_ns AS next_ns FROM outcomes WHERE event_ns >= {from_ns:UInt64} AND source = 'otlp'
    UNION ALL
    SELECT toUInt64(toUnixTimestamp64Nano(min(Timestamp))) AS next_ns
    FROM otel_traces
    WHERE Timestamp >= fromUnixTimestamp64Nano({from_ns:Int64})
    HAVING count() > 0
    UNION ALL
    SELECT toUInt64(toUnixTimestamp64Nano(min(Timestamp))) AS next_ns
    FROM otel_logs
    WHERE Timestamp >= fromUnixTimestamp64Nano({from_ns:Int64})
    HAVING count() > 0
)
