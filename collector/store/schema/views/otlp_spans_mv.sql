-- Why: spans as otlp_traces_mv stores them, from values that are still the bytes of their AnyValue
-- Total: no expression here can throw, whatever the bytes are; what they mean is certain for canonical ones, and
-- collector/otlp/check.py sends no others. A string or bytes has a header of its tag and its length, which grows with the
-- length at 2^7, 2^14, 2^21 and 2^28
CREATE MATERIALIZED VIEW otlp_spans_mv ${on_cluster} TO otel_traces AS
WITH
    -- The low seven bits of each of eight bytes, moved together in three steps.
    bits -> bitOr(bitAnd(bits, 0x007f007f007f007f), bitShiftRight(bitAnd(bits, 0x7f007f007f007f00), 1)) AS by_14,
    bits -> bitOr(bitAnd(bits, 0x00003fff00003fff), bitShiftRight(bitAnd(bits, 0x3fff00003fff0000), 2)) AS by_28,
    bits -> bitOr(bitAnd(bits, 0x0fffffff), bitShiftRight(bitAnd(bits, 0x0fffffff00000000), 4)) AS by_56,
    -- A varint of up to ten bytes after the tag; the last two are there for 2^56 and above, and for what is negative.
    any -> reinterpretAsInt64(bitOr(
        by_56(by_28(by_14(reinterpretAsUInt64(substring(any, 2, 8))))),
        bitOr(
            bitShiftLeft(toUInt64(bitAnd(reinterpretAsUInt8(substring(any, 10, 1)), 0x7f)), 56),
            bitShiftLeft(toUInt64(reinterpretAsUInt8(substring(any, 11, 1))), 63)
        )
    )) AS int_value,
    -- Go's strconv as pcommon.Value.AsString calls it: 1e+21 and 1e-7, where ClickHouse writes 1e21.
    number -> transform(
        replaceOne(replaceOne(toString(number), 'e', 'e+'), 'e+-', 'e-'),
        ['nan', 'inf', '-inf'],
        ['json: unsupported value: NaN', 'json: unsupported value: +Inf', 'json: unsupported value: -Inf']
    ) AS double_text,
    any -> substring(
        any,
        3 + (length(any) > 129) + (length(any) > 16386) + (length(any) > 2097155) + (length(any) > 268435460)
    ) AS payload,
    any -> multiIf(
        startsWith(any, '\n'), payload(any),
        startsWith(any, '\x18'), toString(int_value(any)),
        startsWith(any, '!'), double_text(reinterpretAsFloat64(substring(any, 2, 8))),
        startsWith(any, '\x10'), if(endsWith(any, '\0'), 'false', 'true'),
        startsWith(any, ':'), base64Encode(payload(any)),
        ''
    ) AS value_text,
    pairs -> mapFromArrays(mapKeys(pairs), arrayMap(any -> value_text(any), mapValues(pairs))) AS map_text,
    -- Several sets of attributes at once: the expression above is planned once for all of them, and planning is what
    -- a small insert costs. A span's own are apart, because to put them into an array is to copy them.
    sets -> arrayMap(pairs -> map_text(pairs), sets) AS maps,
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
    map_text(span.attributes) AS SpanAttributes,
    if(
        span.end_time_unix_nano > span.start_time_unix_nano,
        span.end_time_unix_nano - span.start_time_unix_nano,
        0
    ) AS Duration,
    transform(span.status.code, [1, 2], ['Ok', 'Error'], 'Unset') AS StatusCode,
    span.status.message AS StatusMessage,
    arrayMap(event -> instant(event.time_unix_nano), span.events) AS `Events.Timestamp`,
    span.events.name AS `Events.Name`,
    arraySlice(inner_maps, 1, length(span.events)) AS `Events.Attributes`,
    arrayMap(link -> id_text(link.trace_id), span.links) AS `Links.TraceId`,
    arrayMap(link -> id_text(link.span_id), span.links) AS `Links.SpanId`,
    span.links.trace_state AS `Links.TraceState`,
    arraySlice(inner_maps, 1 + length(span.events)) AS `Links.Attributes`,
    received_ns,
    ScopeAttributes
FROM
(
    SELECT *, maps(arrayConcat(span.events.attributes, span.links.attributes)) AS inner_maps
    FROM
    (
        SELECT
            received_ns,
            outer_maps[1] AS ResourceAttributes,
            scope.name AS ScopeName,
            scope.version AS ScopeVersion,
            outer_maps[2] AS ScopeAttributes,
            arrayJoin(spans) AS span
        FROM
        (
            -- Only what is named passes a join: a whole group would be copied for each of its scopes.
            SELECT
                received_ns,
                maps([resource.attributes, batch.scope.attributes]) AS outer_maps,
                batch.scope AS scope,
                batch.spans AS spans
            FROM
            (
                SELECT received_ns, resource, arrayJoin(scope_spans) AS batch
                FROM
                (
                    SELECT received_ns, group.resource AS resource, group.scope_spans AS scope_spans
                    FROM (SELECT received_ns, arrayJoin(resource_spans) AS group FROM otlp_spans_in)
                )
            )
        )
    )
)
