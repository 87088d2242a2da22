-- Decisions as their producers sealed them, in order of arrival.
-- Returns: received_ns UInt64; then, all String, the signed fields and the seal under their own names; a
--   page of about `limit` rows, whole instants of arrival only; no rows where none came in between.
SELECT
    received_ns,
    lower(TraceId) AS trace_id,
    lower(SpanId) AS span_id,
    toString(toUnixTimestamp64Nano(Timestamp)) AS start_ns,
    toString(toUnixTimestamp64Nano(Timestamp) + toInt64(Duration)) AS end_ns,
    StatusCode AS status,
    SpanAttributes['decision.schema'] AS `decision.schema`,
    SpanAttributes['decision.action'] AS `decision.action`,
    SpanAttributes['decision.channel'] AS `decision.channel`,
    SpanAttributes['decision.region'] AS `decision.region`,
    SpanAttributes['decision.cohort'] AS `decision.cohort`,
    SpanAttributes['decision.offer_type'] AS `decision.offer_type`,
    SpanAttributes['decision.campaign'] AS `decision.campaign`,
    SpanAttributes['decision.route'] AS `decision.route`,
    SpanAttributes['decision.vendor'] AS `decision.vendor`,
    SpanAttributes['decision.mode'] AS `decision.mode`,
    SpanAttributes['decision.value_usd'] AS `decision.value_usd`,
    SpanAttributes['decision.experiment'] AS `decision.experiment`,
    SpanAttributes['decision.arm'] AS `decision.arm`,
    SpanAttributes['decision.injected_delay_ns'] AS `decision.injected_delay_ns`,
    SpanAttributes['decision.ts.ingress'] AS `decision.ts.ingress`,
    SpanAttributes['decision.ts.transform'] AS `decision.ts.transform`,
    SpanAttributes['decision.ts.decision'] AS `decision.ts.decision`,
    SpanAttributes['decision.ts.egress'] AS `decision.ts.egress`,
    SpanAttributes['provenance.kid'] AS `provenance.kid`,
    SpanAttributes['provenance.producer'] AS `provenance.producer`,
    SpanAttributes['provenance.epoch'] AS `provenance.epoch`,
    SpanAttributes['provenance.seq'] AS `provenance.seq`,
    SpanAttributes['provenance.prev'] AS `provenance.prev`,
    SpanAttributes['provenance.tag'] AS `provenance.tag`
FROM otel_traces
WHERE received_ns > {after_ns:UInt64}
    AND received_ns <= {until_ns:UInt64}
    AND (SpanAttributes['decision.action'] != '' OR SpanAttributes['provenance.tag'] != '')
    AND received_ns <= (
        SELECT max(received_ns)
        FROM (
            SELECT received_ns
            FROM otel_traces
            WHERE received_ns > {after_ns:UInt64}
                AND received_ns <= {until_ns:UInt64}
                AND (SpanAttributes['decision.action'] != '' OR SpanAttributes['provenance.tag'] != '')
            ORDER BY received_ns
            LIMIT {limit:UInt32}
        )
    )
ORDER BY received_ns, `provenance.producer`, `provenance.epoch`, toUInt64OrZero(`provenance.seq`)
