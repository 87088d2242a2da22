-- Decisions as their producers sealed them, with the values that decisions_mv takes, in order of arrival: those that
-- came in (after, until], or all copies with a seal of some traces.
-- Returns: received_ns UInt64; then, all String, the signed fields and the seal under their own names, and copy: of
--   copies what span_content.sql says. A page of about `limit` rows, whole instants of arrival only; no rows where none came in between.
SELECT
    received_ns,
    lower(TraceId) AS trace_id,
    lower(SpanId) AS span_id,
    toString(toUnixTimestamp64Nano(Timestamp)) AS start_ns,
    toString(toUnixTimestamp64Nano(Timestamp) + toInt64(Duration)) AS end_ns,
    StatusCode AS status,
    ${signed_columns:SpanAttributes},
    SpanAttributes['provenance.kid'] AS `provenance.kid`,
    SpanAttributes['provenance.producer'] AS `provenance.producer`,
    SpanAttributes['provenance.epoch'] AS `provenance.epoch`,
    SpanAttributes['provenance.seq'] AS `provenance.seq`,
    SpanAttributes['provenance.prev'] AS `provenance.prev`,
    SpanAttributes['provenance.tag'] AS `provenance.tag`,
    if(notEmpty({trace_ids:Array(String)}), ${content}, '') AS copy
FROM otel_traces
WHERE
    (
        notEmpty({trace_ids:Array(String)})
        AND TraceId IN {trace_ids:Array(String)}
        AND SpanAttributes['provenance.tag'] != ''
    )
    OR
    (
        empty({trace_ids:Array(String)})
        AND received_ns > {after_ns:UInt64}
        AND received_ns <= {until_ns:UInt64}
        AND ${is_judged}
        AND received_ns <=
        (
            SELECT max(received_ns)
            FROM
            (
                SELECT received_ns
                FROM otel_traces
                WHERE received_ns > {after_ns:UInt64}
                    AND received_ns <= {until_ns:UInt64}
                    AND ${is_judged}
                ORDER BY received_ns
                LIMIT {limit:UInt32}
            )
        )
    )
ORDER BY received_ns, `provenance.producer`, `provenance.epoch`, toUInt64OrZero(`provenance.seq`)
