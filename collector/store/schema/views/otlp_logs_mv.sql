-- Why: log records as the clickhouseexporter stores them, rendered as in otlp_traces_mv.
-- Total: no expression here can throw. A record without a time has the time it was observed, else received. The
-- receiver has refused what lies outside the retention
CREATE MATERIALIZED VIEW otlp_logs_mv ${on_cluster} TO otel_logs AS
WITH
    ${value_text}
    id -> if(match(id, '^\\0*$'), '', lower(hex(id))) AS id_text
SELECT
    fromUnixTimestamp64Nano(toInt64(least(
        multiIf(
            record.time_unix_nano > 0, record.time_unix_nano,
            record.observed_time_unix_nano > 0, record.observed_time_unix_nano,
            received_ns
        ),
        9223372036854775807
    ))) AS Timestamp,
    if(length(record.trace_id) = 16, id_text(record.trace_id), '') AS TraceId,
    if(length(record.span_id) = 8, id_text(record.span_id), '') AS SpanId,
    toUInt8(bitAnd(record.flags, 255)) AS TraceFlags,
    record.severity_text AS SeverityText,
    if(record.severity_number BETWEEN 0 AND 255, toUInt8(record.severity_number), 0) AS SeverityNumber,
    ResourceAttributes['service.name'] AS ServiceName,
    record_maps[2]['body'] AS Body,
    ResourceSchemaUrl,
    ResourceAttributes,
    ScopeSchemaUrl,
    ScopeName,
    ScopeVersion,
    ScopeAttributes,
    record_maps[1] AS LogAttributes,
    record.event_name AS EventName,
    received_ns
FROM
(
    SELECT
        *,
        maps([record.attributes, [CAST(('body', record.body), toTypeName(record.attributes[1]))]]) AS record_maps
    FROM
    (
        SELECT
            received_ns,
            outer_maps[1] AS ResourceAttributes,
            ResourceSchemaUrl,
            batch.schema_url AS ScopeSchemaUrl,
            batch.scope.name AS ScopeName,
            batch.scope.version AS ScopeVersion,
            outer_maps[2] AS ScopeAttributes,
            arrayJoin(batch.log_records) AS record
        FROM
        (
            SELECT
                received_ns,
                batch,
                group.schema_url AS ResourceSchemaUrl,
                maps([group.resource.attributes, batch.scope.attributes]) AS outer_maps
            FROM
            (
                SELECT received_ns, group, arrayJoin(group.scope_logs) AS batch
                FROM (SELECT received_ns, arrayJoin(resource_logs) AS group FROM otlp_logs_in)
            )
        )
    )
)
