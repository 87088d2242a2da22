-- The outcomes that name the decisions of some seconds, by id or by key, and where something was taken back by a key,
-- those of the other decisions that carry it: a refund is of one that has a sale.
-- Returns: the columns below; by outcome_id, kind. Amounts are in the currency that values are stated in, those
-- in another by the rate of the day on which they happened, or of the last day before it that has one, at most
-- rate_days ago; else they are null, as those that are not known and those that the column cannot hold.
WITH named AS
(
    SELECT decision_id, outcome_key FROM decisions
    WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
        AND intDiv(ingress_ns, 1000000000) * 1000000000 IN {seconds_ns:Array(UInt64)}
),
kin AS
(
    SELECT decision_id FROM decisions
    WHERE outcome_key IN
    (
        SELECT outcome_key FROM outcomes FINAL
        WHERE kind = 'refund' AND decision_id = '' AND received_ns >= {received_from_ns:UInt64}
            AND outcome_key IN (SELECT outcome_key FROM named WHERE outcome_key != '')
    )
)
SELECT
    o.outcome_id AS outcome_id,
    o.decision_id AS decision_id,
    o.outcome_key AS outcome_key,
    toString(o.kind) AS kind,
    o.is_sale AS is_sale,
    multiIf(o.currency = {currency:String}, o.revenue,
        r.rate > 0 AND o.event_ns - r.day_ns < ({rate_days:UInt64} + 1) * 86400000000000,
        accurateCastOrNull(round(toDecimal128(o.revenue, 6) * r.rate, 6), 'Decimal(18, 6)'), NULL) AS revenue,
    multiIf(o.currency = {currency:String}, o.margin,
        r.rate > 0 AND o.event_ns - r.day_ns < ({rate_days:UInt64} + 1) * 86400000000000,
        accurateCastOrNull(round(toDecimal128(o.margin, 6) * r.rate, 6), 'Decimal(18, 6)'), NULL) AS margin,
    o.currency AS currency, o.revenue AS own_revenue, o.margin AS own_margin,
    toInt64(o.event_ns) AS event_ns, toInt64(o.received_ns) AS received_ns
FROM
(
    SELECT outcome_id, decision_id, outcome_key, kind, is_sale, toString(currency) AS currency,
        revenue, margin, event_ns, received_ns
    FROM outcomes FINAL
    WHERE received_ns >= {received_from_ns:UInt64}
        AND (decision_id IN (SELECT decision_id FROM named)
            OR decision_id IN (SELECT decision_id FROM kin)
            OR (decision_id = ''
                AND outcome_key IN (SELECT outcome_key FROM named WHERE outcome_key != '')))
) AS o
ASOF LEFT JOIN
(
    SELECT toString(currency) AS currency, day_ns, rate FROM currency_rates FINAL
) AS r ON o.currency = r.currency AND o.event_ns >= r.day_ns
ORDER BY outcome_id, kind
