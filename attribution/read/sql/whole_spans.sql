-- Every span of some traces with all that it says, for traces of which a span id came twice: whether the second is the
-- same span once more, and which counts if it is not, rests on all of it. As `spans.sql`, and `content`.
-- Returns: the columns below, unordered. NONE (-1) where a span does not say; span ids as big-endian
-- numbers, which sort as their hex text; a customer's attribute name (parameters) is asked after ours.
WITH
    if(SpanAttributes['latency.blocking'] != '', SpanAttributes['latency.blocking'],
        SpanAttributes[{blocking_name:String}]) AS blocking_text
SELECT
    TraceId AS trace_id,
    reinterpretAsUInt64(reverse(unhex(SpanId))) AS span_id,
    reinterpretAsUInt64(reverse(unhex(ParentSpanId))) AS parent_id,
    toUnixTimestamp64Nano(Timestamp) AS start_ns,
    start_ns + toInt64(Duration) AS end_ns,
    toInt8(indexOf(['Internal', 'Server', 'Client', 'Producer', 'Consumer'], toString(SpanKind))) AS kind,
    toString(ServiceName) AS service_name,
    toString(SpanName) AS span_name,
    multiIf(
        ResourceAttributes['host.id'] != '', ResourceAttributes['host.id'],
        ResourceAttributes['host.ip'] != '', ResourceAttributes['host.ip'],
        ResourceAttributes['host.name'] != '', ResourceAttributes['host.name'],
        ResourceAttributes['service.instance.id']
    ) AS host,
    if(match(ResourceAttributes['clock.error_ns'], '^[0-9]{1,18}$'),
        toInt64(ResourceAttributes['clock.error_ns']), -1) AS clock_error_ns,
    toInt8(indexOf(['network', 'compute', 'store'],
        if(SpanAttributes['latency.class'] != '', SpanAttributes['latency.class'],
            SpanAttributes[{class_name:String}]))) - 1 AS latency_class,
    toInt8(indexOf(['ingress', 'transform', 'decision', 'egress'],
        if(SpanAttributes['decision.stage'] != '', SpanAttributes['decision.stage'],
            SpanAttributes[{stage_name:String}]))) - 1 AS stage,
    toInt8(multiIf(blocking_text = 'true', 1, blocking_text = 'false', 0, -1)) AS blocking,
    (SpanAttributes['db.system.name'] != '' OR SpanAttributes['db.system'] != ''
        OR SpanAttributes['rpc.service'] IN ('S3', 'DynamoDB')) AS is_store,
    (SpanAttributes['messaging.operation.type'] = 'receive'
        OR SpanAttributes['messaging.operation'] = 'receive') AS is_receive,
    if(SpanAttributes['decision.id'] != '', SpanAttributes['decision.id'],
        SpanAttributes[{id_name:String}]) AS decision_id,
    Links.TraceId AS link_traces,
    arrayMap(id -> reinterpretAsUInt64(reverse(unhex(id))), Links.SpanId) AS link_spans,
    toInt64(received_ns) AS received_ns,
    cityHash64(Timestamp, Duration, ParentSpanId, SpanName, SpanKind, ServiceName, StatusCode,
        SpanAttributes, host, clock_error_ns, Links.TraceId, Links.SpanId) AS content
FROM otel_traces
WHERE TraceId IN (SELECT arrayJoin({trace_ids:Array(String)}))
    AND Timestamp >= fromUnixTimestamp64Nano({from_ns:Int64})
    AND Timestamp <= fromUnixTimestamp64Nano({to_ns:Int64})
