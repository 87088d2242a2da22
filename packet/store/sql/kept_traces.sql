-- Traces received in (after_ns, until_ns] whose randomness reaches a threshold: the last 14 hex digits of
-- the trace id, or `rv` of OpenTelemetry's tracestate where a sender set one.
-- Returns: trace_id String; in order, at most traces_max.
SELECT DISTINCT TraceId AS trace_id
FROM otel_traces
WHERE received_ns > {after_ns:UInt64} AND received_ns <= {until_ns:UInt64}
    AND if(
        match(TraceState, '(^|,)ot=([^,]*;)?rv:[0-9a-f]{14}'),
        extract(TraceState, 'rv:([0-9a-f]{14})'),
        substring(TraceId, 19)
    ) >= {threshold:String}
ORDER BY trace_id
LIMIT {traces_max:UInt32}
