-- Why: fills otel_traces_trace_id_ts
-- A row of each hour in which spans of a trace began, so that one whose clock is off by a year says where, and not over what
CREATE MATERIALIZED VIEW otel_traces_trace_id_ts_mv ${on_cluster} TO otel_traces_trace_id_ts AS
SELECT TraceId, min(Timestamp) AS Start, max(Timestamp) AS End
FROM otel_traces_in
WHERE TraceId != ''
GROUP BY TraceId, intDiv(toUnixTimestamp64Nano(Timestamp), 3600000000000)
