-- What a crash test compares with what was acknowledged.
-- Returns: kind LowCardinality(String) (span, skeleton, trace, decision or outcome), id String, copies UInt64: rows of
-- a span from one request, rows of a decision or an outcome as a reader sees them; of a trace 1.
SELECT 'span' AS kind, SpanId AS id, max(rows) AS copies
FROM
(
    SELECT SpanId, count() AS rows
    FROM otel_traces
    GROUP BY TraceId, SpanId, received_ns
)
GROUP BY SpanId
UNION ALL
SELECT 'decision' AS kind, decision_id AS id, count() AS copies
FROM decisions FINAL
GROUP BY decision_id
UNION ALL
SELECT 'outcome' AS kind, outcome_id AS id, count() AS copies
FROM outcomes FINAL
GROUP BY outcome_id
UNION ALL
SELECT 'skeleton' AS kind, leftPad(lower(hex(span_id)), 16, '0') AS id, max(rows) AS copies
FROM
(
    SELECT span_id, count() AS rows
    FROM otel_span_skeletons
    GROUP BY trace_id, span_id, received_ns
)
GROUP BY span_id
UNION ALL
SELECT DISTINCT 'trace' AS kind, TraceId AS id, 1 AS copies
FROM otel_traces_trace_id_ts
