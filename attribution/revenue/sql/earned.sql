-- What decisions earned. An outcome finds its decision by id (the earliest that has it), else by key (the last that
-- has it and began before; a refund the last of them that has a sale, if one has). What is sold after the horizon of the
-- decision's channel is not counted; what is taken back after it comes off what was sold after it first, then off the rest.
-- A correction counts whenever it comes: the time of what it corrects is no longer known.
-- Returns: began_ns UInt64, id String, has_sold UInt8, sold_ns UInt64 (when that happened, or was corrected, last), has_earned UInt8: of a refund too; money Float64, amounts_missing UInt64: outcomes whose amount
--   is not known; a row a decision that has an outcome, unordered.
WITH
told AS
(
    SELECT
        o.decision_id AS id, o.outcome_key AS key, o.event_ns AS told_ns, o.kind = 'refund' AS is_refund,
        if(o.kind = 'correction', 0, o.event_ns) AS at_ns,
        multiIf(o.currency = {currency:String}, 1.,
            r.rate > 0 AND o.event_ns - r.day_ns < ({rate_days:UInt64} + 1) * 86400000000000,
            toFloat64(r.rate), NULL) AS factor,
        toFloat64(o.margin) * factor AS own_margin,
        toFloat64(o.revenue) * factor AS own_revenue,
        is_refund OR o.is_sale AS is_earning,
        if({outcome:String} = 'margin', own_margin, own_revenue) AS stated,
        if(is_refund, -abs(stated), stated) AS amount
    FROM
    (
        SELECT decision_id, outcome_key, event_ns, toString(kind) AS kind, is_sale,
            toString(currency) AS currency, margin, revenue
        FROM outcomes FINAL
        WHERE received_ns >= {received_from_ns:UInt64}
    ) AS o
    ASOF LEFT JOIN
    (
        SELECT toString(currency) AS currency, day_ns, rate FROM currency_rates FINAL
    ) AS r ON o.currency = r.currency AND o.event_ns >= r.day_ns
),
candidates AS
(
    SELECT d.ingress_ns AS began_ns, d.decision_id AS id, d.outcome_key AS key,
        began_ns + if(has({horizon_channels:Array(String)}, toString(d.channel)),
            {horizons_ns:Array(UInt64)}[indexOf({horizon_channels:Array(String)}, toString(d.channel))],
            {horizon_ns:UInt64}) AS ends_ns
    FROM decisions AS d FINAL
    -- One id may come twice, and the earlier of the two is meant.
    WHERE d.ingress_ns >= {candidates_from_ns:UInt64}
        AND (d.decision_id IN (SELECT id FROM told WHERE id != '')
            OR d.outcome_key IN (SELECT key FROM told WHERE id = '' AND key != ''))
),
matched AS
(
    SELECT c.began_ns AS began_ns, c.id AS id, c.ends_ns AS ends_ns, c.own_key AS own_key, told_ns, at_ns, is_refund,
        0 AS is_free, is_earning, amount
    FROM told AS t
    INNER JOIN
    (
        SELECT min(own.began_ns) AS began_ns, id, argMin(own.key, own.began_ns) AS own_key,
            argMin(own.ends_ns, own.began_ns) AS ends_ns
        FROM candidates AS own
        GROUP BY id
    ) AS c ON t.id = c.id
    WHERE t.id != ''
    UNION ALL
    SELECT c.began_ns AS began_ns, c.id AS id, c.ends_ns AS ends_ns, c.key AS own_key, told_ns, at_ns, is_refund,
        is_refund AS is_free, is_earning, amount
    FROM (SELECT * FROM told WHERE id = '' AND key != '') AS t
    ASOF INNER JOIN candidates AS c ON t.key = c.key AND t.told_ns >= c.began_ns
),
-- The last decision of the same key that has a sale, up to the one that an outcome was matched to.
placed AS
(
    SELECT
        began_ns, id, ends_ns, told_ns, at_ns, is_refund, is_free, is_earning, amount,
        max(if(is_earning AND NOT is_refund, (began_ns, id, ends_ns), (toUInt64(0), '', toUInt64(0))))
            OVER (PARTITION BY own_key ORDER BY began_ns, id) AS sold
    FROM matched
),
dated AS
(
    SELECT
        is_free AND sold.1 > 0 AS is_moved,
        if(is_moved, sold.1, placed.began_ns) AS began_ns,
        if(is_moved, sold.2, placed.id) AS id,
        at_ns > if(is_moved, sold.3, placed.ends_ns) AS is_late,
        told_ns, is_refund, is_earning, amount
    FROM placed
)
SELECT
    began_ns, id,
    max(is_earning AND NOT is_refund AND NOT is_late) AS has_sold,
    maxIf(told_ns, is_earning AND NOT is_refund AND NOT is_late) AS sold_ns,
    max(is_earning AND NOT is_late) AS has_earned,
    -- A refund that stands alone has replaced its sale: nothing was earned.
    if(has_sold,
        sumIf(ifNull(amount, 0), is_earning AND NOT is_late)
        + least(sumIf(ifNull(amount, 0), is_earning AND is_late), 0), 0) AS money,
    if(has_earned, countIf(is_earning AND isNull(amount) AND (NOT is_late OR is_refund)), 0) AS amounts_missing
FROM dated
GROUP BY began_ns, id
