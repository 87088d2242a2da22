-- Why: without an id an outcome cannot be counted once, without a decision or a key it cannot be joined, and of
-- another kind or in no currency it cannot be added up: it is kept and named. So is one that is stored without an
-- amount which it states and which is none. The record itself is stored in otel_logs.
CREATE MATERIALIZED VIEW rejected_outcomes_mv ${on_cluster} TO rejected AS
SELECT
    received_ns,
    'outcomes' AS signal,
    multiIf(
        id = '', 'outcome_id_missing',
        is_alone, 'outcome_key_missing',
        is_odd, 'outcome_kind_unknown',
        is_foreign, 'outcome_currency_unknown',
        'outcome_amount_unknown'
    ) AS reason_code,
    multiIf(
        id = '',
        'outcome.id is missing; send the order id or another id that stays the same on a retry',
        is_alone,
        'neither decision.id nor outcome.key is there; send the one that the decision carries',
        is_odd,
        concat('outcome.kind is ', substringUTF8(kind, 1, 80), ', and not one of ',
            arrayStringConcat([${kinds}], ', '), '; correct the sender'),
        is_foreign,
        concat('outcome.currency is ', substringUTF8(currency, 1, 80),
            ', which is not an ISO 4217 code; write it like USD'),
        concat(if(is_without_revenue, 'outcome.revenue', 'outcome.margin'), ' is ',
            substringUTF8(if(is_without_revenue, revenue, margin), 1, 80),
            ', which is not a number below ${amount_max}, so it is unknown; correct it or its unit at the sender')
    ) AS detail,
    id AS item_id,
    toUInt32(0) AS item_count,
    '' AS bytes
FROM
(
    SELECT
        received_ns,
        ${attr:outcome.id:LogAttributes} AS id,
        ${attr:outcome.kind:LogAttributes} AS kind,
        ${attr:outcome.currency:LogAttributes} AS currency,
        ${attr:outcome.revenue:LogAttributes} AS revenue,
        ${attr:outcome.margin:LogAttributes} AS margin,
        ${attr:decision.id:LogAttributes} = '' AND ${attr:outcome.key:LogAttributes} = '' AS is_alone,
        kind NOT IN ('', ${kinds}) AS is_odd,
        NOT match(currency, '^([A-Z]{3})?$') AS is_foreign,
        revenue != '' AND isNull(${amount:outcome.revenue:LogAttributes}) AS is_without_revenue,
        margin != '' AND isNull(${amount:outcome.margin:LogAttributes}) AS is_without_margin
    FROM otel_logs${local}
    WHERE EventName = 'decision.outcome' OR LogAttributes['event.name'] = 'decision.outcome'
)
WHERE id = '' OR is_alone OR is_odd OR is_foreign OR is_without_revenue OR is_without_margin
