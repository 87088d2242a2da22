-- Why: fills otel_metrics_summary
CREATE MATERIALIZED VIEW otel_metrics_summary_mv ${on_cluster} TO otel_metrics_summary AS
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
    ValueAtQuantiles.Quantile,
    ValueAtQuantiles.Value,
    received_ns
FROM otlp_metric_points
WHERE kind = 'summary'
