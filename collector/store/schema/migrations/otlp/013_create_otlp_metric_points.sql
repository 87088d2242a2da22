-- Why: the points of every kind, rendered: the attributes of all five are rendered by one view, whose text is what a small
-- insert costs, and five short ones sort them into their tables. What a kind does not have is empty
-- Sorted: stores nothing
-- Read by: otel_metrics_gauge_mv, otel_metrics_sum_mv, otel_metrics_histogram_mv, otel_metrics_exp_histogram_mv,
-- otel_metrics_summary_mv
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS otlp_metric_points ${on_cluster} (
    kind LowCardinality(String),
    ResourceAttributes Map(LowCardinality(String), String),
    ResourceSchemaUrl String,
    ScopeName String,
    ScopeVersion String,
    ScopeAttributes Map(LowCardinality(String), String),
    ScopeDroppedAttrCount UInt32,
    ScopeSchemaUrl String,
    ServiceName LowCardinality(String),
    MetricName String,
    MetricDescription String,
    MetricUnit String,
    Attributes Map(LowCardinality(String), String),
    StartTimeUnix DateTime64(9),
    TimeUnix DateTime64(9),
    Value Float64,
    Flags UInt32,
    Exemplars Nested (
        FilteredAttributes Map(LowCardinality(String), String),
        TimeUnix DateTime64(9),
        Value Float64,
        SpanId String,
        TraceId String
    ),
    AggregationTemporality Int32,
    IsMonotonic Bool,
    Count UInt64,
    Sum Float64,
    Min Float64,
    Max Float64,
    BucketCounts Array(UInt64),
    ExplicitBounds Array(Float64),
    Scale Int32,
    ZeroCount UInt64,
    PositiveOffset Int32,
    PositiveBucketCounts Array(UInt64),
    NegativeOffset Int32,
    NegativeBucketCounts Array(UInt64),
    ValueAtQuantiles Nested (
        Quantile Float64,
        Value Float64
    ),
    received_ns UInt64
) ENGINE = Null
