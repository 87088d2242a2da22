-- Why: spans as the clickhouseexporter stores them, every value rendered as its pcommon.Value.AsString does.
-- Total: no expression here can throw. Nanoseconds over the range of Int64 are cut to it; the receiver has refused
-- what lies outside the retention
-- (values that nest deeper than a flat array arrive rendered, see collector/otlp/check.py)
-- Sorted: not a table of its own
-- Read by: no one directly
-- Blocking: no, a view over what arrives from now on.
CREATE MATERIALIZED VIEW IF NOT EXISTS otlp_traces_mv ${on_cluster} TO otel_traces AS
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
