-- Traces without a decision of their own that name one of these decisions by its id.
-- Returns: trace_id String; unordered. Attributes are read only where such a trace is there.
SELECT DISTINCT TraceId AS trace_id
FROM otel_traces
PREWHERE received_ns > {after_ns:UInt64} AND received_ns <= {until_ns:UInt64}
    AND TraceId NOT IN (SELECT trace_id FROM decisions WHERE received_ns > {after_ns:UInt64})
WHERE if(SpanAttributes['decision.id'] != '', SpanAttributes['decision.id'],
        SpanAttributes[{id_name:String}]) IN {decision_ids:Array(String)}
