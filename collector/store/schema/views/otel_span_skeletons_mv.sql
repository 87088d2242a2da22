-- Why: fills otel_span_skeletons
-- Total: no expression here can throw. A span id is read as a number of its last eight bytes
CREATE MATERIALIZED VIEW otel_span_skeletons_mv ${on_cluster} TO otel_span_skeletons AS
WITH
    id -> reinterpretAsUInt64(reverse(unhex(id))) AS id_number,
    ${attr:latency.blocking:SpanAttributes} AS blocking_text,
    ResourceAttributes['clock.error_ns'] AS clock_text
SELECT
    notEmpty(Links.TraceId) OR decision_id != '' AS is_tied,
    received_ns,
    TraceId AS trace_id,
    id_number(SpanId) AS span_id,
    id_number(ParentSpanId) AS parent_id,
    toUnixTimestamp64Nano(Timestamp) AS start_ns,
    start_ns + toInt64(Duration) AS end_ns,
    ServiceName AS service_name,
    SpanName AS span_name,
    toLowCardinality(multiIf(
        ResourceAttributes['host.id'] != '', ResourceAttributes['host.id'],
        ResourceAttributes['host.ip'] != '', ResourceAttributes['host.ip'],
        ResourceAttributes['host.name'] != '', ResourceAttributes['host.name'],
        ResourceAttributes['service.instance.id']
    )) AS host,
    if(match(clock_text, '^[0-9]{1,18}$'), toInt64OrZero(clock_text), -1) AS clock_error_ns,
    toInt8(indexOf(['Internal', 'Server', 'Client', 'Producer', 'Consumer'], toString(SpanKind))) AS kind,
    toInt8(indexOf(['network', 'compute', 'store'], ${attr:latency.class:SpanAttributes})) - 1 AS latency_class,
    toInt8(indexOf(['ingress', 'transform', 'decision', 'egress'], ${attr:decision.stage:SpanAttributes})) - 1 AS stage,
    toInt8(multiIf(blocking_text = 'true', 1, blocking_text = 'false', 0, -1)) AS blocking,
    (SpanAttributes['db.system.name'] != '' OR SpanAttributes['db.system'] != ''
        OR SpanAttributes['rpc.service'] IN ('S3', 'DynamoDB')) AS is_store,
    (SpanAttributes['messaging.operation.type'] = 'receive'
        OR SpanAttributes['messaging.operation'] = 'receive') AS is_receive,
    ${attr:decision.id:SpanAttributes} AS decision_id,
    Links.TraceId AS link_traces,
    arrayMap(id -> id_number(id), Links.SpanId) AS link_spans
FROM otel_traces_in
