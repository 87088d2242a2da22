-- When spans of some traces began, by the hour: of an arrival that is one row for all its spans, over those hours.
-- Returns: trace_id String, from_ns Int64, to_ns Int64 (first and last start of a span); unordered.
SELECT
    TraceId AS trace_id,
    toUnixTimestamp64Nano(min(Start)) AS from_ns,
    toUnixTimestamp64Nano(max(End)) AS to_ns
FROM otel_traces_trace_id_ts
WHERE TraceId IN (SELECT arrayJoin({trace_ids:Array(String)}))
GROUP BY TraceId, intDiv(toUnixTimestamp64Nano(Start), 3600000000000)
