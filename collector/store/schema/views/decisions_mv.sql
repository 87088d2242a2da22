-- Why: a decision is a span that carries decision.action or that a [[decisions.match]] rule names; until there is one,
-- each root of a server or a consumer is one: such roots are sent here only while none is declared, and are taken
-- where none of the same insert is (the last line; whoever compares stored rows with this leaves it out).
-- Total: every conversion here gives a value for any text; what cannot be a decision goes to
-- rejected through rejected_decisions_mv, whose condition is the negation of this one.
-- `*` stands for all actions and all regions wherever one may be named, so no decision has it for a name.
-- Stamps are ordered, and ingress lies not after the end: the receiver refuses disorder among
-- them, and the condition below holds them against the root's end. Ingress is the partition, so
-- one long before its end would make a part of its own, whatever let it in.
CREATE MATERIALIZED VIEW decisions_mv ${on_cluster} TO decisions AS
SELECT
    if(stamped_ns > 0, stamped_ns, start_ns) AS ingress_ns,
    if(own_id != '', own_id, TraceId) AS decision_id,
    TraceId AS trace_id,
    SpanId AS root_span_id,
    ServiceName AS service_name,
    start_ns,
    end_ns,
    toUInt64OrZero(${attr:decision.ts.transform:SpanAttributes}) AS transform_ns,
    toUInt64OrZero(${attr:decision.ts.decision:SpanAttributes}) AS decision_ns,
    toUInt64OrZero(${attr:decision.ts.egress:SpanAttributes}) AS egress_ns,
    transform(
        multiIf(own_action != '', own_action, ${matches}, ${match_action}, ${root_action}), ['*'], ['(*)']
    ) AS action,
    ${dimensions:SpanAttributes},
    toUInt64OrZero(${attr:decision.injected_delay_ns:SpanAttributes}) AS injected_delay_ns,
    ${amount:decision.value_usd:SpanAttributes} AS value_usd,
    ${attr:outcome.key:SpanAttributes} AS outcome_key,
    StatusCode = 'Error' AS is_error,
    received_ns
FROM
(
    SELECT
        *,
        ${attr:decision.action:SpanAttributes} AS own_action,
        ${attr:decision.id:SpanAttributes} AS own_id,
        ${attr:decision.schema:SpanAttributes} AS schema,
        toUInt64OrZero(${attr:decision.ts.ingress:SpanAttributes}) AS stamped_ns,
        toUInt64(toUnixTimestamp64Nano(Timestamp)) AS start_ns,
        start_ns + Duration AS end_ns
    FROM otel_decision_spans
    WHERE own_action != '' OR ${matches} OR ${is_root}
)
WHERE schema IN (${accepted})
    AND stamped_ns <= end_ns
    AND (stamped_ns = 0 OR stamped_ns + 31 * 86400 * 1000000000 >= end_ns)
QUALIFY own_action != '' OR NOT ${is_root} OR NOT max(${is_declared}) OVER ()
