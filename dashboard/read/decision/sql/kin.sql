-- How long spans of one service and name took in the decisions of a time.
-- Returns: spans, at_most UInt64 (that took no longer than duration_ns), p50_ns, p95_ns Float64, NaN without a span.
SELECT
    count() AS spans,
    countIf(duration_ns <= {duration_ns:UInt64}) AS at_most,
    quantile(0.5)(duration_ns) AS p50_ns,
    quantile(0.95)(duration_ns) AS p95_ns
FROM path_spans
WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns <= {to_ns:UInt64}
    AND service_name = {service_name:String} AND span_name = {span_name:String}
