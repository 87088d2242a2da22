-- What decisions earned, of the outcomes that the job of cells counts to each (outcome_matches): by id the earliest that
-- has it, else by key the last that has it and began before; a refund the last of them that has a sale, if one has. What
-- is sold after the horizon of the decision's channel is not counted; what is taken back after it comes off what was sold
-- after it first, then off the rest. A correction counts whenever it comes: the time of what it corrects is no longer known.
-- A refund of revenue alone takes off as much of the margin sold as of the revenue, where every sale names both.
-- Returns: began_ns UInt64, id String, has_sold UInt8, sold_ns UInt64 (when that happened, or was corrected, last), has_earned UInt8: of a refund too; money Float64, amounts_missing UInt64: outcomes whose amount
--   is not known; a row a decision of the window that has an outcome, unordered.
WITH
told AS
(
    SELECT
        o.began_ns AS began_ns, o.id AS id, o.event_ns AS told_ns, o.kind = 'refund' AS is_refund,
        o.kind != 'correction' AND o.event_ns > o.began_ns
            + if(has({horizon_channels:Array(String)}, o.channel),
                {horizons_ns:Array(UInt64)}[indexOf({horizon_channels:Array(String)}, o.channel)],
                {horizon_ns:UInt64}) AS is_late,
        multiIf(o.currency = {currency:String}, 1.,
            r.rate > 0 AND o.event_ns - r.day_ns < ({rate_days:UInt64} + 1) * 86400000000000,
            toFloat64(r.rate), NULL) AS factor,
        toFloat64(o.margin) * factor AS own_margin,
        toFloat64(o.revenue) * factor AS own_revenue,
        is_refund OR o.is_sale AS is_earning,
        if({outcome:String} = 'margin', own_margin, own_revenue) AS stated,
        if(is_refund, -abs(stated), stated) AS amount,
        is_refund AND {outcome:String} = 'margin' AND isNull(own_margin) AND isNotNull(own_revenue) AS is_share
    FROM
    (
        SELECT ingress_ns AS began_ns, decision_id AS id, toString(channel) AS channel, event_ns,
            toString(kind) AS kind, is_sale, toString(currency) AS currency, margin, revenue
        FROM outcome_matches FINAL
        WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64} AND is_gone = 0
    ) AS o
    ASOF LEFT JOIN
    (
        SELECT toString(currency) AS currency, day_ns, rate FROM currency_rates FINAL
    ) AS r ON o.currency = r.currency AND o.event_ns >= r.day_ns
),
sumIf(own_margin, is_earning AND NOT is_refund) AS sold_margin,
sumIf(own_revenue, is_earning AND NOT is_refund) AS sold_revenue,
if(sold_margin >= 0 AND sold_revenue > 0
    AND countIf(is_earning AND NOT is_refund AND (isNull(own_margin) OR isNull(own_revenue))) = 0,
    sold_margin / sold_revenue, NULL) AS share
SELECT
    began_ns, id,
    max(is_earning AND NOT is_refund AND NOT is_late) AS has_sold,
    maxIf(told_ns, is_earning AND NOT is_refund AND NOT is_late) AS sold_ns,
    max(is_earning AND NOT is_late) AS has_earned,
    -- A refund that stands alone has replaced its sale: nothing was earned.
    if(has_sold,
        sumIf(ifNull(amount, 0), is_earning AND NOT is_late)
        - ifNull(share * sumIf(abs(own_revenue), is_share AND NOT is_late), 0)
        + least(sumIf(ifNull(amount, 0), is_earning AND is_late)
            - ifNull(share * sumIf(abs(own_revenue), is_share AND is_late), 0), 0), 0) AS money,
    if(has_sold, countIf(is_earning AND isNull(amount) AND (NOT is_late OR is_refund))
        - if(isNull(share), 0, countIf(is_share)), 0) AS amounts_missing
FROM told
GROUP BY began_ns, id
