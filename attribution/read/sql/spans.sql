-- Every span of some traces and of those that came in a window, as the cores take them: classes, stages and kinds as
-- codes.
-- Returns: the columns below, unordered. NONE (-1) where a span does not say; span ids as big-endian
-- numbers, which sort as their hex text.
SELECT
    trace_id,
    span_id,
    parent_id,
    start_ns,
    end_ns,
    kind,
    toString(service_name) AS service_name,
    toString(span_name) AS span_name,
    toString(host) AS host,
    clock_error_ns,
    latency_class,
    stage,
    blocking,
    is_store != 0 AS is_store,
    is_receive != 0 AS is_receive,
    decision_id,
    link_traces,
    link_spans,
    toInt64(received_ns) AS received_ns,
    toUInt64(0) AS content
FROM otel_span_skeletons
WHERE start_ns >= {from_ns:Int64} AND start_ns <= {to_ns:Int64}
    AND (empty({minutes:Array(Int64)}) OR intDiv(start_ns, 60000000000) IN {minutes:Array(Int64)})
    AND trace_id IN
    (
        SELECT trace_id FROM otel_span_skeletons
        WHERE received_ns > {came_after_ns:UInt64} AND received_ns <= {came_until_ns:UInt64}
        UNION ALL
        SELECT arrayJoin({trace_ids:Array(String)}) AS trace_id
    )
