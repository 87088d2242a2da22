-- Why: without an id an outcome cannot be counted once, and without a decision or a key it cannot
-- be joined; it is kept and named. The record itself is stored in otel_logs.
CREATE MATERIALIZED VIEW rejected_outcomes_mv TO rejected AS
SELECT
    received_ns,
    'outcomes' AS signal,
    if(${attr:outcome.id:LogAttributes} = '', 'outcome_id_missing', 'outcome_key_missing') AS reason_code,
    if(
        ${attr:outcome.id:LogAttributes} = '',
        'outcome.id is missing; send the order id or another id that stays the same on a retry',
        'neither decision.id nor outcome.key is there; send the one that the decision carries'
    ) AS detail,
    ${attr:outcome.id:LogAttributes} AS item_id,
    toUInt32(0) AS item_count,
    '' AS bytes
FROM otel_logs
WHERE (EventName = 'decision.outcome' OR LogAttributes['event.name'] = 'decision.outcome')
    AND NOT (
        ${attr:outcome.id:LogAttributes} != ''
        AND (${attr:decision.id:LogAttributes} != '' OR ${attr:outcome.key:LogAttributes} != '')
    )
