-- Spans of the given traces that packets were linked to, with a request and a response among them.
-- Returns: trace_id String, span_id String.
SELECT DISTINCT trace_id, span_id
FROM span_flows FINAL
WHERE trace_id IN {trace_ids:Array(String)} AND wire_ns IS NOT NULL
