-- Why: what claims to be a decision and cannot be one is kept, counted and named.
-- The span itself is stored in otel_traces, so no bytes are kept twice.
CREATE MATERIALIZED VIEW rejected_decisions_mv ${on_cluster} TO rejected AS
SELECT
    received_ns,
    'traces' AS signal,
    multiIf(
        schema NOT IN (${accepted}), 'schema_unknown',
        stamped_ns > end_ns, 'ingress_after_end',
        'ingress_long_before_end'
    ) AS reason_code,
    if(
        schema NOT IN (${accepted}),
        concat('decision.schema is ', schema, ', and not one of ',
            arrayStringConcat(arrayMap(each -> if(each = '', 'none', each), [${accepted}]), ', '),
            '; upgrade Millworth or the sender'),
        concat('decision.ts.ingress ', toString(stamped_ns),
            if(stamped_ns > end_ns, ' lies after', ' lies more than 31 days before'),
            ' the end of the root ', toString(end_ns),
            '; correct the clock or the unit (Unix nanoseconds) at the sender')
    ) AS detail,
    concat(TraceId, ':', SpanId) AS item_id,
    toUInt32(0) AS item_count,
    '' AS bytes
FROM
(
    SELECT
        *,
        ${attr:decision.action:SpanAttributes} AS own_action,
        ${attr:decision.schema:SpanAttributes} AS schema,
        toUInt64OrZero(${attr:decision.ts.ingress:SpanAttributes}) AS stamped_ns,
        toUInt64(toUnixTimestamp64Nano(Timestamp)) + Duration AS end_ns
    FROM otel_decision_spans
    WHERE own_action != '' OR ${matches}
)
WHERE NOT (
    schema IN (${accepted})
    AND stamped_ns <= end_ns
    AND (stamped_ns = 0 OR stamped_ns + 31 * 86400 * 1000000000 >= end_ns)
)
