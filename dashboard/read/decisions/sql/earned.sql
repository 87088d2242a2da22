-- The outcomes that are counted to the decisions of one page (outcome_matches), with amounts as they were told and in the
-- currency that values are stated in: those of another by the rate of their day, or of the last day before it that has
-- one, at most rate_days ago; else null.
-- Returns: ingress_ns UInt64, decision_id, kind, channel, currency String, is_sale UInt8, event_ns UInt64; revenue, margin,
--   rated_revenue, rated_margin Nullable(Decimal(18, 6)); unordered.
SELECT
    o.ingress_ns AS ingress_ns, o.decision_id AS decision_id, o.kind AS kind, o.channel AS channel,
    o.currency AS currency, o.is_sale AS is_sale, o.event_ns AS event_ns, o.revenue AS revenue, o.margin AS margin,
    multiIf(o.currency = {currency:String}, o.revenue,
        r.rate > 0 AND o.event_ns - r.day_ns < ({rate_days:UInt64} + 1) * 86400000000000,
        accurateCastOrNull(round(toDecimal128(o.revenue, 6) * r.rate, 6), 'Decimal(18, 6)'), NULL) AS rated_revenue,
    multiIf(o.currency = {currency:String}, o.margin,
        r.rate > 0 AND o.event_ns - r.day_ns < ({rate_days:UInt64} + 1) * 86400000000000,
        accurateCastOrNull(round(toDecimal128(o.margin, 6) * r.rate, 6), 'Decimal(18, 6)'), NULL) AS rated_margin
FROM
(
    SELECT ingress_ns, decision_id, toString(kind) AS kind, toString(channel) AS channel,
        toString(currency) AS currency, is_sale, event_ns, revenue, margin
    FROM outcome_matches FINAL
    WHERE ingress_ns IN {instants_ns:Array(UInt64)} AND decision_id IN (SELECT arrayJoin({ids:Array(String)}))
        AND is_gone = 0
) AS o
ASOF LEFT JOIN
(
    SELECT toString(currency) AS currency, day_ns, rate FROM currency_rates FINAL
) AS r ON o.currency = r.currency AND o.event_ns >= r.day_ns
