-- Why: fills otel_metrics_sum
CREATE MATERIALIZED VIEW otel_metrics_sum_mv ${on_cluster} TO otel_metrics_sum AS
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
    Value,
    Exemplars.FilteredAttributes,
    Exemplars.TimeUnix,
    Exemplars.Value,
    Exemplars.SpanId,
    Exemplars.TraceId,
    AggregationTemporality,
    IsMonotonic,
    received_ns
FROM otlp_metric_points
WHERE kind = 'sum'
