-- Why: points of metrics as the clickhouseexporter stores them, values rendered as in otlp_traces_mv. A metric is of one
-- kind, so the points of all kinds side by side are those of that one, and a field that its kind does not have is filled
-- with zeros to the same length
-- Total: no expression here can throw. Nanoseconds over the range of Int64 are cut to it; the receiver has refused what
-- lies outside the retention. An id of the wrong length is zero, as an absent one is in the exporter
CREATE MATERIALIZED VIEW otlp_metrics_mv ${on_cluster} TO otlp_metric_points AS
WITH
    ${value_text}
    id -> if(length(id) = 16, lower(hex(id)), repeat('0', 32)) AS trace_id_text,
    id -> if(length(id) = 8, lower(hex(id)), repeat('0', 16)) AS span_id_text,
    nanoseconds -> fromUnixTimestamp64Nano(toInt64(least(nanoseconds, 9223372036854775807))) AS instant
SELECT
    kind,
    ResourceAttributes,
    ResourceSchemaUrl,
    ScopeName,
    ScopeVersion,
    ScopeAttributes,
    ScopeDroppedAttrCount,
    ScopeSchemaUrl,
    ResourceAttributes['service.name'] AS ServiceName,
    MetricName,
    MetricDescription,
    MetricUnit,
    point_maps[1] AS Attributes,
    instant(start_ns) AS StartTimeUnix,
    instant(time_ns) AS TimeUnix,
    if(number_kind = 'as_int', toFloat64(as_int), as_double) AS Value,
    flags AS Flags,
    arraySlice(point_maps, 2) AS `Exemplars.FilteredAttributes`,
    arrayMap(exemplar -> instant(exemplar.time_unix_nano), exemplars) AS `Exemplars.TimeUnix`,
    arrayMap(
        exemplar -> if(exemplar.value = 'as_int', toFloat64(exemplar.as_int), exemplar.as_double),
        exemplars
    ) AS `Exemplars.Value`,
    arrayMap(exemplar -> span_id_text(exemplar.span_id), exemplars) AS `Exemplars.SpanId`,
    arrayMap(exemplar -> trace_id_text(exemplar.trace_id), exemplars) AS `Exemplars.TraceId`,
    AggregationTemporality,
    IsMonotonic,
    count AS Count,
    sum AS Sum,
    min AS Min,
    max AS Max,
    bucket_counts AS BucketCounts,
    explicit_bounds AS ExplicitBounds,
    scale AS Scale,
    zero_count AS ZeroCount,
    positive.offset AS PositiveOffset,
    positive.bucket_counts AS PositiveBucketCounts,
    negative.offset AS NegativeOffset,
    negative.bucket_counts AS NegativeBucketCounts,
    quantile_values.quantile AS `ValueAtQuantiles.Quantile`,
    quantile_values.value AS `ValueAtQuantiles.Value`,
    received_ns
FROM
(
    SELECT *, maps(arrayConcat([attributes], exemplars.filtered_attributes)) AS point_maps
    FROM
    (
        SELECT
            received_ns,
            ResourceAttributes,
            ResourceSchemaUrl,
            ScopeName,
            ScopeVersion,
            ScopeAttributes,
            ScopeDroppedAttrCount,
            ScopeSchemaUrl,
            MetricName,
            MetricDescription,
            MetricUnit,
            kind,
            AggregationTemporality,
            IsMonotonic,
            length(gauges) + length(sums) + length(histograms) + length(exp_histograms) + length(summaries) AS point_count,
            arrayResize(arrayConcat(
                gauges.attributes,
                sums.attributes,
                histograms.attributes,
                exp_histograms.attributes,
                summaries.attributes
            ), point_count) AS attributes,
            arrayResize(arrayConcat(
                gauges.start_time_unix_nano,
                sums.start_time_unix_nano,
                histograms.start_time_unix_nano,
                exp_histograms.start_time_unix_nano,
                summaries.start_time_unix_nano
            ), point_count) AS start_ns,
            arrayResize(arrayConcat(
                gauges.time_unix_nano,
                sums.time_unix_nano,
                histograms.time_unix_nano,
                exp_histograms.time_unix_nano,
                summaries.time_unix_nano
            ), point_count) AS time_ns,
            arrayResize(arrayConcat(
                gauges.flags,
                sums.flags,
                histograms.flags,
                exp_histograms.flags,
                summaries.flags
            ), point_count) AS flags,
            arrayResize(arrayConcat(
                gauges.exemplars,
                sums.exemplars,
                histograms.exemplars,
                exp_histograms.exemplars
            ), point_count) AS exemplars,
            arrayResize(arrayConcat(gauges.as_double, sums.as_double), point_count) AS as_double,
            arrayResize(arrayConcat(gauges.as_int, sums.as_int), point_count) AS as_int,
            arrayResize(arrayConcat(gauges.value, sums.value), point_count) AS number_kind,
            arrayResize(arrayConcat(
                histograms.count,
                exp_histograms.count,
                summaries.count
            ), point_count) AS count,
            arrayResize(arrayConcat(histograms.sum, exp_histograms.sum, summaries.sum), point_count) AS sum,
            arrayResize(arrayConcat(histograms.min, exp_histograms.min), point_count) AS min,
            arrayResize(arrayConcat(histograms.max, exp_histograms.max), point_count) AS max,
            arrayResize(histograms.bucket_counts, point_count) AS bucket_counts,
            arrayResize(histograms.explicit_bounds, point_count) AS explicit_bounds,
            arrayResize(exp_histograms.scale, point_count) AS scale,
            arrayResize(exp_histograms.zero_count, point_count) AS zero_count,
            arrayResize(exp_histograms.positive, point_count) AS positive,
            arrayResize(exp_histograms.negative, point_count) AS negative,
            arrayResize(summaries.quantile_values, point_count) AS quantile_values
        FROM
        (
            SELECT
                * EXCEPT (metric),
                metric.name AS MetricName,
                metric.description AS MetricDescription,
                metric.unit AS MetricUnit,
                toString(metric.data) AS kind,
                toInt32(
                    metric.sum.aggregation_temporality + metric.histogram.aggregation_temporality
                        + metric.exponential_histogram.aggregation_temporality
                ) AS AggregationTemporality,
                metric.sum.is_monotonic AS IsMonotonic,
                metric.gauge.data_points AS gauges,
                metric.sum.data_points AS sums,
                metric.histogram.data_points AS histograms,
                metric.exponential_histogram.data_points AS exp_histograms,
                metric.summary.data_points AS summaries
            FROM
            (
                SELECT
                    received_ns,
                    outer_maps[1] AS ResourceAttributes,
                    ResourceSchemaUrl,
                    batch.scope.name AS ScopeName,
                    batch.scope.version AS ScopeVersion,
                    outer_maps[2] AS ScopeAttributes,
                    batch.scope.dropped_attributes_count AS ScopeDroppedAttrCount,
                    batch.schema_url AS ScopeSchemaUrl,
                    arrayJoin(batch.metrics) AS metric
                FROM
                (
                    SELECT
                        received_ns,
                        group.schema_url AS ResourceSchemaUrl,
                        batch,
                        maps([group.resource.attributes, batch.scope.attributes]) AS outer_maps
                    FROM
                    (
                        SELECT received_ns, group, arrayJoin(group.scope_metrics) AS batch
                        FROM (SELECT received_ns, arrayJoin(resource_metrics) AS group FROM otlp_metrics_in)
                    )
                )
            )
        )
    )
    ARRAY JOIN
        attributes, start_ns, time_ns, flags, exemplars, as_double, as_int, number_kind, count, sum, min, max,
        bucket_counts, explicit_bounds, scale, zero_count, positive, negative, quantile_values
)
