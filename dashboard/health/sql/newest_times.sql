-- The latest event time of each signal.
-- Returns: signal String, newest_ns UInt64; 0 where there is nothing.
SELECT 'traces' AS signal, toUInt64(toUnixTimestamp64Nano(max(Timestamp))) AS newest_ns FROM otel_traces
UNION ALL
SELECT 'logs', toUInt64(toUnixTimestamp64Nano(max(Timestamp))) FROM otel_logs
UNION ALL
SELECT 'metrics', max(newest_ns)
FROM
(
    SELECT toUInt64(toUnixTimestamp64Nano(max(TimeUnix))) AS newest_ns FROM otel_metrics_gauge
    UNION ALL
    SELECT toUInt64(toUnixTimestamp64Nano(max(TimeUnix))) FROM otel_metrics_sum
    UNION ALL
    SELECT toUInt64(toUnixTimestamp64Nano(max(TimeUnix))) FROM otel_metrics_histogram
    UNION ALL
    SELECT toUInt64(toUnixTimestamp64Nano(max(TimeUnix))) FROM otel_metrics_exp_histogram
    UNION ALL
    SELECT toUInt64(toUnixTimestamp64Nano(max(TimeUnix))) FROM otel_metrics_summary
)
