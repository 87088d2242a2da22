-- How long spans of one service and name took in the decisions of a time.
-- Without FINAL: a decision that was attributed twice counts twice, which moves a rank by less than its error.
-- Returns: spans, at_most UInt64 (that took no longer than duration_ns), p50_ns, p95_ns Float64, NaN without a span.
SELECT
    count() AS spans,
    countIf(took_ns <= {duration_ns:UInt64}) AS at_most,
    quantile(0.5)(took_ns) AS p50_ns,
    quantile(0.95)(took_ns) AS p95_ns
FROM
(
    SELECT if(empty(long_ns), toUInt64(took), long_ns[length(parent) + place]) AS took_ns
    FROM path_columns
    ARRAY JOIN service_name AS service, span_name AS name, duration_ns AS took, arrayEnumerate(parent) AS place
    WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns <= {to_ns:UInt64}
        AND service = {service_name:String} AND name = {span_name:String}
)
