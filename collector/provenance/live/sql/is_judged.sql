-- Whether a span is judged by its seal, among those that arrived in (after, until]: a decision, whatever makes it one,
-- and what has a seal. Not the service's own calibration, which is in no sum and has no key to be sealed with. A part
-- of other statements.
-- Returns: a condition on otel_traces.
(
    SpanAttributes['decision.action'] != ''
    OR SpanAttributes['provenance.tag'] != ''
    OR (TraceId, SpanId) IN
    (
        SELECT trace_id, root_span_id
        FROM decisions
        WHERE received_ns > {after_ns:UInt64} AND received_ns <= {until_ns:UInt64}
    )
)
AND NOT
(
    SpanAttributes['decision.action'] = 'calibration'
    AND SpanAttributes['provenance.tag'] = ''
    AND ${attr:decision.value_usd:SpanAttributes} = ''
)
