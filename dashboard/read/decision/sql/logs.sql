-- The log records of one span, between two instants.
-- Returns: at_ns UInt64, severity, body String, attributes Map(String, String); by time, at most rows_max.
SELECT
    toUInt64(toUnixTimestamp64Nano(Timestamp)) AS at_ns,
    toString(SeverityText) AS severity,
    Body AS body,
    LogAttributes AS attributes
FROM otel_logs
WHERE TraceId = {trace_id:String} AND SpanId = {span_id:String}
    AND Timestamp >= fromUnixTimestamp64Nano({from_ns:Int64})
    AND Timestamp <= fromUnixTimestamp64Nano({to_ns:Int64})
ORDER BY at_ns
LIMIT {rows_max:UInt64}
