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
    ${attr:decision.schema:SpanAttributes} AS `decision.schema`,
    ${attr:decision.action:SpanAttributes} AS `decision.action`,
    ${attr:decision.channel:SpanAttributes} AS `decision.channel`,
    ${attr:decision.region:SpanAttributes} AS `decision.region`,
    ${attr:decision.cohort:SpanAttributes} AS `decision.cohort`,
    ${attr:decision.offer_type:SpanAttributes} AS `decision.offer_type`,
    ${attr:decision.campaign:SpanAttributes} AS `decision.campaign`,
    ${attr:decision.route:SpanAttributes} AS `decision.route`,
    ${attr:decision.vendor:SpanAttributes} AS `decision.vendor`,
    ${attr:decision.mode:SpanAttributes} AS `decision.mode`,
    ${attr:decision.value_usd:SpanAttributes} AS `decision.value_usd`,
    ${attr:decision.experiment:SpanAttributes} AS `decision.experiment`,
    ${attr:decision.arm:SpanAttributes} AS `decision.arm`,
    ${attr:decision.injected_delay_ns:SpanAttributes} AS `decision.injected_delay_ns`,
    ${attr:decision.ts.ingress:SpanAttributes} AS `decision.ts.ingress`,
    ${attr:decision.ts.transform:SpanAttributes} AS `decision.ts.transform`,
    ${attr:decision.ts.decision:SpanAttributes} AS `decision.ts.decision`,
    ${attr:decision.ts.egress:SpanAttributes} AS `decision.ts.egress`,
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
