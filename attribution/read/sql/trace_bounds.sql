-- When each trace happened, so that its spans are read from few granules.
-- Returns: trace_id String, from_ns Int64, to_ns Int64 (first and last start of a span); by from_ns.
SELECT
    TraceId AS trace_id,
    toUnixTimestamp64Nano(min(Start)) AS from_ns,
    toUnixTimestamp64Nano(max(End)) AS to_ns
FROM otel_traces_trace_id_ts
WHERE TraceId IN {trace_ids:Array(String)}
GROUP BY TraceId
ORDER BY from_ns, trace_id
