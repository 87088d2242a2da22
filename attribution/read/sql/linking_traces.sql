-- Traces of which a span links to one of these traces.
-- Returns: trace_id String; unordered.
SELECT DISTINCT trace_id
FROM
(
    SELECT trace_id, arrayJoin(link_traces) AS target
    FROM otel_span_skeletons
    WHERE is_tied = 1 AND received_ns > {after_ns:UInt64} AND received_ns <= {until_ns:UInt64}
)
WHERE target IN {trace_ids:Array(String)}
