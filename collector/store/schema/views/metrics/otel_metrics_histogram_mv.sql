-- Why: fills otel_metrics_histogram
CREATE MATERIALIZED VIEW otel_metrics_histogram_mv ${on_cluster} TO otel_metrics_histogram AS
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
    BucketCounts,
    ExplicitBounds,
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
WHERE kind = 'histogram'
