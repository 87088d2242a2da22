-- Why: fills otel_traces
CREATE MATERIALIZED VIEW otel_traces_mv ${on_cluster} TO otel_traces AS
SELECT * FROM otel_traces_in
