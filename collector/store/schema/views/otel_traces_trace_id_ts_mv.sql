-- Why: fills otel_traces_trace_id_ts
CREATE MATERIALIZED VIEW otel_traces_trace_id_ts_mv ${on_cluster} TO otel_traces_trace_id_ts AS
SELECT TraceId, min(Timestamp) AS Start, max(Timestamp) AS End
FROM otel_traces_in
WHERE TraceId != ''
GROUP BY TraceId
