-- What a bench of hostile senders compares with what the good ones were answered OK for.
-- Returns: signal String, id String, name String, trace String, time_ns Int64, number Float64,
-- said Map(String, String); a row a stored item of the service `neighbour`.
SELECT
    'traces' AS signal,
    SpanAttributes['neighbour'] AS id,
    SpanName::String AS name,
    TraceId AS trace,
    toUnixTimestamp64Nano(Timestamp) AS time_ns,
    toFloat64(Duration) AS number,
    SpanAttributes::Map(String, String) AS said
FROM otel_traces
WHERE ServiceName = 'neighbour'
UNION ALL
SELECT
    'logs' AS signal,
    LogAttributes['neighbour'] AS id,
    Body AS name,
    TraceId AS trace,
    toUnixTimestamp64Nano(Timestamp) AS time_ns,
    toFloat64(SeverityNumber) AS number,
    LogAttributes::Map(String, String) AS said
FROM otel_logs
WHERE ServiceName = 'neighbour'
UNION ALL
SELECT
    'metrics' AS signal,
    Attributes['neighbour'] AS id,
    MetricName AS name,
    '' AS trace,
    toUnixTimestamp64Nano(TimeUnix) AS time_ns,
    Value AS number,
    Attributes::Map(String, String) AS said
FROM otel_metrics_gauge
WHERE ServiceName = 'neighbour'
