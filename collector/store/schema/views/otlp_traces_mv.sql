-- Why: spans as the clickhouseexporter stores them, every value rendered as its pcommon.Value.AsString does.
-- Total: no expression here can throw. Nanoseconds over the range of Int64 are cut to it; the receiver has refused
-- what lies outside the retention
-- (values that nest deeper than a flat array arrive rendered, see collector/write/reading.py)
CREATE MATERIALIZED VIEW otlp_traces_mv ${on_cluster} TO otel_traces_in AS
WITH
    ${value_text}
    id -> if(match(id, '^\\0*$'), '', lower(hex(id))) AS id_text,
    nanoseconds -> fromUnixTimestamp64Nano(toInt64(least(nanoseconds, 9223372036854775807))) AS instant
SELECT
    instant(span.start_time_unix_nano) AS Timestamp,
    lower(hex(span.trace_id)) AS TraceId,
    lower(hex(span.span_id)) AS SpanId,
    id_text(span.parent_span_id) AS ParentSpanId,
    span.trace_state AS TraceState,
    span.name AS SpanName,
    transform(span.kind, [1, 2, 3, 4, 5], ['Internal', 'Server', 'Client', 'Producer', 'Consumer'], 'Unspecified')
        AS SpanKind,
    ResourceAttributes['service.name'] AS ServiceName,
    ResourceAttributes,
    ScopeName,
    ScopeVersion,
    span_maps[1] AS SpanAttributes,
    if(
        span.end_time_unix_nano > span.start_time_unix_nano,
        span.end_time_unix_nano - span.start_time_unix_nano,
        0
    ) AS Duration,
    transform(span.status.code, [1, 2], ['Ok', 'Error'], 'Unset') AS StatusCode,
    span.status.message AS StatusMessage,
    arrayMap(event -> instant(event.time_unix_nano), span.events) AS `Events.Timestamp`,
    span.events.name AS `Events.Name`,
    arraySlice(span_maps, 2, length(span.events)) AS `Events.Attributes`,
    arrayMap(link -> id_text(link.trace_id), span.links) AS `Links.TraceId`,
    arrayMap(link -> id_text(link.span_id), span.links) AS `Links.SpanId`,
    span.links.trace_state AS `Links.TraceState`,
    arraySlice(span_maps, 2 + length(span.events)) AS `Links.Attributes`,
    received_ns,
    ScopeAttributes
FROM
(
    SELECT
        received_ns,
        ResourceAttributes,
        ScopeName,
        ScopeVersion,
        ScopeAttributes,
        span,
        maps(arrayConcat([span.attributes], span.events.attributes, span.links.attributes)) AS span_maps
    FROM
    (
        SELECT
            received_ns,
            outer_maps[1] AS ResourceAttributes,
            batch.scope.name AS ScopeName,
            batch.scope.version AS ScopeVersion,
            outer_maps[2] AS ScopeAttributes,
            arrayJoin(batch.spans) AS span
        FROM
        (
            SELECT
                received_ns,
                batch,
                maps([group.resource.attributes, batch.scope.attributes]) AS outer_maps
            FROM
            (
                SELECT received_ns, group, arrayJoin(group.scope_spans) AS batch
                FROM (SELECT received_ns, arrayJoin(resource_spans) AS group FROM otlp_traces_in)
            )
        )
    )
)
