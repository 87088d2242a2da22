-- What decisions earned. An outcome finds its decision by id (the earliest that has it), else by key (the last that
-- has it and began before; a refund the last of them that has a sale, if one has).
-- Returns: began_ns UInt64, id String, has_sold UInt8, sold_ns UInt64 (when that was told last), has_earned UInt8: of a refund too; money Float64, amounts_missing UInt64: outcomes whose amount
--   is not known; a row a decision that has an outcome, unordered.
WITH
told AS
(
    SELECT
        o.decision_id AS id, o.outcome_key AS key, o.event_ns AS told_ns, o.kind = 'refund' AS is_refund,
        multiIf(o.currency = {currency:String}, 1.,
            r.rate > 0 AND o.event_ns - r.day_ns < ({rate_days:UInt64} + 1) * 86400000000000,
            toFloat64(r.rate), NULL) AS factor,
        toFloat64(o.margin) * factor AS own_margin,
        toFloat64(o.revenue) * factor AS own_revenue,
        o.converted = 1 OR o.kind = 'refund' OR isNotNull(own_margin) OR isNotNull(own_revenue) AS is_earning,
        if({outcome:String} = 'margin', own_margin, own_revenue) AS stated,
        if(is_refund, -abs(stated), stated) AS amount
    FROM
    (
        SELECT decision_id, outcome_key, event_ns, toString(kind) AS kind, converted,
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
    SELECT d.ingress_ns AS began_ns, d.decision_id AS id, d.outcome_key AS key
    FROM decisions AS d FINAL
    -- One id may come twice, and the earlier of the two is meant.
    WHERE d.ingress_ns >= {candidates_from_ns:UInt64}
        AND (d.decision_id IN (SELECT id FROM told WHERE id != '')
            OR d.outcome_key IN (SELECT key FROM told WHERE id = '' AND key != ''))
),
matched AS
(
    SELECT c.began_ns AS began_ns, c.id AS id, c.own_key AS own_key, is_refund, 0 AS is_free, is_earning, amount, told_ns
    FROM told AS t
    INNER JOIN
    (
        SELECT min(own.began_ns) AS began_ns, id, argMin(own.key, own.began_ns) AS own_key
        FROM candidates AS own
        GROUP BY id
    ) AS c ON t.id = c.id
    WHERE t.id != ''
    UNION ALL
    SELECT c.began_ns AS began_ns, c.id AS id, c.key AS own_key, is_refund, is_refund AS is_free, is_earning, amount,
        told_ns
    FROM (SELECT * FROM told WHERE id = '' AND key != '') AS t
    ASOF INNER JOIN candidates AS c ON t.key = c.key AND t.told_ns >= c.began_ns
),
-- The last decision of the same key that has a sale, up to the one that an outcome was matched to.
placed AS
(
    SELECT
        began_ns, id, is_refund, is_free, is_earning, amount, told_ns,
        max(if(is_earning AND NOT is_refund, (began_ns, id), (toUInt64(0), '')))
            OVER (PARTITION BY own_key ORDER BY began_ns, id) AS sold
    FROM matched
)
SELECT
    if(is_free AND sold.1 > 0, sold.1, placed.began_ns) AS began_ns,
    if(is_free AND sold.1 > 0, sold.2, placed.id) AS id,
    max(is_earning AND NOT is_refund) AS has_sold,
    maxIf(told_ns, is_earning AND NOT is_refund) AS sold_ns,
    max(is_earning) AS has_earned,
    -- A refund that stands alone has replaced its sale: nothing was earned.
    if(max(NOT is_refund) = 1, sumIf(ifNull(amount, 0), is_earning), 0) AS money,
    countIf(is_earning AND isNull(amount)) AS amounts_missing
FROM placed
GROUP BY began_ns, id
