-- Why: an outcome is a log record whose event name is decision.outcome.
-- Total: an amount that is no number is null, which is unknown, never zero.
CREATE MATERIALIZED VIEW outcomes_mv TO outcomes AS
SELECT
    ${attr:outcome.id:LogAttributes} AS outcome_id,
    if(${attr:outcome.kind:LogAttributes} = '', 'sale', ${attr:outcome.kind:LogAttributes}) AS kind,
    ${attr:decision.id:LogAttributes} AS decision_id,
    ${attr:outcome.key:LogAttributes} AS outcome_key,
    ${attr:outcome.converted:LogAttributes} IN ('true', '1') AS converted,
    toDecimal64OrNull(${attr:outcome.revenue:LogAttributes}, 6) AS revenue,
    toDecimal64OrNull(${attr:outcome.margin:LogAttributes}, 6) AS margin,
    if(${attr:outcome.currency:LogAttributes} = '', ${currency}, ${attr:outcome.currency:LogAttributes}) AS currency,
    ${attr:outcome.channel:LogAttributes} AS channel,
    toUInt64(toUnixTimestamp64Nano(Timestamp)) AS event_ns,
    'otlp' AS source,
    received_ns
FROM otel_logs
WHERE (EventName = 'decision.outcome' OR LogAttributes['event.name'] = 'decision.outcome')
    AND ${attr:outcome.id:LogAttributes} != ''
    AND (${attr:decision.id:LogAttributes} != '' OR ${attr:outcome.key:LogAttributes} != '')
