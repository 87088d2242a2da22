-- Traces of which a span that is no root names one of these decisions by its id.
-- Returns: trace_id String; unordered. Values of attributes are read only where such a span is there.
SELECT DISTINCT TraceId AS trace_id
FROM otel_traces
PREWHERE received_ns > {after_ns:UInt64} AND received_ns <= {until_ns:UInt64}
    AND hasAny(SpanAttributes.keys, ['decision.id', {id_name:String}])
    AND (TraceId, SpanId) NOT IN (SELECT trace_id, root_span_id FROM decisions WHERE received_ns > {after_ns:UInt64})
WHERE if(SpanAttributes['decision.id'] != '', SpanAttributes['decision.id'],
        SpanAttributes[{id_name:String}]) IN {decision_ids:Array(String)}
