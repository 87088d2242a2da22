-- Why: an outcome is a log record whose event name is decision.outcome.
-- Total: an amount that is no number, or that no decision earns, is null, which is unknown, never zero.
-- rejected_outcomes_mv names it, and every outcome that the condition below leaves out.
CREATE MATERIALIZED VIEW outcomes_mv ${on_cluster} TO outcomes AS
SELECT
    ${attr:outcome.id:LogAttributes} AS outcome_id,
    if(${attr:outcome.kind:LogAttributes} = '', 'sale', ${attr:outcome.kind:LogAttributes}) AS kind,
    ${attr:decision.id:LogAttributes} AS decision_id,
    ${attr:outcome.key:LogAttributes} AS outcome_key,
    -- Where a sale was stated, as a row of a file is one, or an amount, something was sold.
    lower(${attr:outcome.converted:LogAttributes}) IN (${yes}) OR (lower(${attr:outcome.converted:LogAttributes}) NOT IN (${no})
        AND (${attr:outcome.kind:LogAttributes} = 'sale' OR isNull(revenue) AND ${attr:outcome.revenue:LogAttributes} != ''
            OR isNull(margin) AND ${attr:outcome.margin:LogAttributes} != '')) AS converted,
    ${amount:outcome.revenue:LogAttributes} AS revenue,
    ${amount:outcome.margin:LogAttributes} AS margin,
    if(${attr:outcome.currency:LogAttributes} = '', ${currency}, ${attr:outcome.currency:LogAttributes}) AS currency,
    ${attr:outcome.channel:LogAttributes} AS channel,
    toUInt64(toUnixTimestamp64Nano(Timestamp)) AS event_ns,
    'otlp' AS source,
    received_ns
FROM otel_logs${local}
WHERE (EventName = 'decision.outcome' OR LogAttributes['event.name'] = 'decision.outcome')
    AND ${attr:outcome.id:LogAttributes} != ''
    AND (${attr:decision.id:LogAttributes} != '' OR ${attr:outcome.key:LogAttributes} != '')
    AND ${attr:outcome.kind:LogAttributes} IN ('', ${kinds})
    AND match(${attr:outcome.currency:LogAttributes}, '^([A-Z]{3})?$')
