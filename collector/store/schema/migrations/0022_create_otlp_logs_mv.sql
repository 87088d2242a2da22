-- Why: log records as the clickhouseexporter stores them, rendered as in otlp_traces_mv.
-- Total: no expression here can throw. A record without a time has the time it was observed, else received. The
-- receiver has refused what lies outside the retention
-- Sorted: not a table of its own
-- Read by: no one directly
-- Blocking: no, a view over what arrives from now on.
CREATE MATERIALIZED VIEW IF NOT EXISTS otlp_logs_mv ${on_cluster} TO otel_logs AS
WITH
    -- Go's strconv as pcommon.Value.AsString calls it: 1e+21 and 1e-7, where ClickHouse writes 1e21.
    number -> replaceOne(replaceOne(toString(number), 'e', 'e+'), 'e+-', 'e-') AS finite_text,
    number -> multiIf(
        isFinite(number), finite_text(number),
        isNaN(number), 'json: unsupported value: NaN',
        number > 0, 'json: unsupported value: +Inf',
        'json: unsupported value: -Inf'
    ) AS double_text,
    -- Go's encoding/json without HTML escapes; ClickHouse escapes the slash, which Go does not.
    text -> replaceAll(toJSONString(text), '\\/', '/') AS slashed_text,
    -- It also writes \u001F for Go's \u001f. \x01 stands for an escaped backslash meanwhile: no text
    -- that is escaped has it.
    text -> if(
        match(text, '[\x0B\x0E\x0F\x1A-\x1F]'),
        replaceAll(arrayFold(
            (lowered, code) -> replaceAll(lowered, concat('\\u00', code), concat('\\u00', lower(code))),
            ['0B', '0E', '0F', '1A', '1B', '1C', '1D', '1E', '1F'],
            replaceAll(slashed_text(text), '\\\\', '\x01')
        ), '\x01', '\\\\'),
        slashed_text(text)
    ) AS quoted_text,
    item -> multiIf(
        item.value = 'string_value', quoted_text(item.string_value),
        item.value = 'int_value', toString(item.int_value),
        item.value = 'double_value', finite_text(item.double_value),
        item.value = 'bool_value', if(item.bool_value, 'true', 'false'),
        item.value = 'bytes_value' AND item.bytes_value != '', concat('"', base64Encode(item.bytes_value), '"'),
        'null'
    ) AS item_json,
    -- An array with a number that JSON does not have is empty text in the exporter, and so here.
    items -> if(
        arrayExists(item -> item.value = 'double_value' AND NOT isFinite(item.double_value), items),
        '',
        concat('[', arrayStringConcat(arrayMap(item -> item_json(item), items), ','), ']')
    ) AS array_json,
    any -> multiIf(
        any.value = 'string_value', any.string_value,
        any.value = 'int_value', toString(any.int_value),
        any.value = 'double_value', double_text(any.double_value),
        any.value = 'bool_value', if(any.bool_value, 'true', 'false'),
        any.value = 'array_value', array_json(any.array_value.values),
        any.value = 'bytes_value', base64Encode(any.bytes_value),
        any.value = 'kvlist_value', base64Encode(any.kvlist_value),
        ''
    ) AS value_text,
    -- Several sets of attributes at once: the expression above is planned once for all of them,
    -- and planning is what a small insert costs.
    sets -> arrayMap(
        pairs -> CAST((pairs.key, arrayMap(any -> value_text(any), pairs.value)), 'Map(String, String)'),
        sets
    ) AS maps,
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
