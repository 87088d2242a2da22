-- Traces of which a span links to one of these traces.
-- Returns: trace_id String; unordered. Few spans have links: how many each has is read of all, which are they of those.
SELECT DISTINCT TraceId AS trace_id
FROM otel_traces
PREWHERE received_ns > {after_ns:UInt64} AND received_ns <= {until_ns:UInt64} AND notEmpty(Links.TraceId)
WHERE hasAny(Links.TraceId, {trace_ids:Array(String)})
