-- Why: fills otel_metrics_exp_histogram
-- Sorted: not a table of its own
-- Read by: no one directly
-- Blocking: no, a view over what arrives from now on.
CREATE MATERIALIZED VIEW IF NOT EXISTS otel_metrics_exp_histogram_mv ${on_cluster} TO otel_metrics_exp_histogram AS
SELECT
    ResourceAttributes,
    ResourceSchemaUrl,
    ScopeName,
    ScopeVersion,
    ScopeAttributes,
    ScopeDroppedAttrCount,
    ScopeSchemaUrl,
    ServiceName,
    MetricName,
    MetricDescription,
    MetricUnit,
    Attributes,
    StartTimeUnix,
    TimeUnix,
    Flags,
    Count,
    Sum,
    Scale,
    ZeroCount,
    PositiveOffset,
    PositiveBucketCounts,
    NegativeOffset,
    NegativeBucketCounts,
    Exemplars.FilteredAttributes,
    Exemplars.TimeUnix,
    Exemplars.Value,
    Exemplars.SpanId,
    Exemplars.TraceId,
    Min,
    Max,
    AggregationTemporality,
    received_ns
FROM otlp_metric_points
WHERE kind = 'exponential_histogram'
