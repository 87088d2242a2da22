-- What decisions earned. An outcome finds its decision by id (the earliest that has it), else by key (the last that
-- has it and began before; a refund the last of them that has a sale, if one has). What is sold after the horizon of the
-- decision's channel is not counted; what is taken back after it comes off what was sold after it first, then off the rest.
-- A correction counts whenever it comes: the time of what it corrects is no longer known.
-- A refund of revenue alone takes off as much of the margin sold as of the revenue, where every sale names both.
-- Returns: began_ns UInt64, id String, has_sold UInt8, sold_ns UInt64 (when that happened, or was corrected, last), has_earned UInt8: of a refund too; money Float64, amounts_missing UInt64: outcomes whose amount
--   is not known; a row a decision that has an outcome, unordered.
WITH
-- A time is as long as the last unit that it is written in, as in `latest_begin_ns`.
(event_ns, received_ns) -> greatest(event_ns, least(received_ns + 3600000000000, event_ns + multiIf(
    event_ns % 86400000000000 = 0, 86399999999999, event_ns % 60000000000 = 0, 59999999999,
    event_ns % 1000000000 = 0, 999999999, event_ns % 1000000 = 0, 999999, event_ns % 1000 = 0, 999, 0)))
AS latest_begin_ns,
-- Each of these is read once: the engine plans and runs a name as often as it is used.
told AS
(
    SELECT
        o.decision_id = '' AS is_by_key,
        if(is_by_key, o.outcome_key, o.decision_id) AS name,
        if(is_by_key, latest_begin_ns(o.event_ns, o.received_ns), bitNot(toUInt64(0))) AS up_to,
        o.event_ns AS told_ns, o.kind = 'refund' AS is_refund,
        if(o.kind = 'correction', 0, o.event_ns) AS at_ns,
        multiIf(o.currency = {currency:String}, 1.,
            r.rate > 0 AND o.event_ns - r.day_ns < ({rate_days:UInt64} + 1) * 86400000000000,
            toFloat64(r.rate), NULL) AS factor,
        toFloat64(o.margin) * factor AS own_margin,
        toFloat64(o.revenue) * factor AS own_revenue,
        is_refund OR o.is_sale AS is_earning,
        if({outcome:String} = 'margin', own_margin, own_revenue) AS stated,
        if(is_refund, -abs(stated), stated) AS plain
    FROM
    (
        SELECT decision_id, outcome_key, event_ns, received_ns, toString(kind) AS kind, is_sale,
            toString(currency) AS currency, margin, revenue
        FROM outcomes FINAL
        WHERE received_ns >= {received_from_ns:UInt64} AND (decision_id != '' OR outcome_key != '')
    ) AS o
    ASOF LEFT JOIN
    (
        SELECT toString(currency) AS currency, day_ns, rate FROM currency_rates FINAL
    ) AS r ON o.currency = r.currency AND o.event_ns >= r.day_ns
),
-- The decisions that outcomes name, once by id and once by key. The rank makes the last of a key
-- that began before an outcome, and the first of an id, the nearest at or below up_to.
candidates AS
(
    SELECT named.1 AS is_by_key, named.2 AS name, if(is_by_key, began_ns, bitNot(began_ns)) AS rank,
        began_ns, id, key, ends_ns
    FROM
    (
        SELECT ingress_ns AS began_ns, decision_id AS id, outcome_key AS key,
            began_ns + if(has({horizon_channels:Array(String)}, toString(channel)),
                {horizons_ns:Array(UInt64)}[indexOf({horizon_channels:Array(String)}, toString(channel))],
                {horizon_ns:UInt64}) AS ends_ns
        FROM decisions FINAL
        WHERE ingress_ns >= {candidates_from_ns:UInt64}
            AND (decision_id IN (SELECT decision_id FROM outcomes
                    WHERE received_ns >= {received_from_ns:UInt64} AND decision_id != '')
                OR outcome_key IN (SELECT outcome_key FROM outcomes
                    WHERE received_ns >= {received_from_ns:UInt64} AND decision_id = '' AND outcome_key != ''))
    )
    ARRAY JOIN [(0, id), (1, key)] AS named
    WHERE name != ''
),
matched AS
(
    SELECT c.began_ns AS began_ns, c.id AS id, c.ends_ns AS ends_ns, c.key AS own_key, told_ns, at_ns, is_refund,
        is_by_key AND is_refund AS is_free, is_earning, own_margin, own_revenue, plain
    FROM told AS t
    ASOF INNER JOIN candidates AS c ON t.is_by_key = c.is_by_key AND t.name = c.name AND t.up_to >= c.rank
),
-- The last decision of the same key that has a sale, up to the one that an outcome was matched to.
placed AS
(
    SELECT
        began_ns, id, ends_ns, told_ns, at_ns, is_refund, is_free, is_earning, own_margin, own_revenue, plain,
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
        told_ns, is_refund, is_earning, own_margin, own_revenue, plain
    FROM placed
),
-- What a unit of revenue cost to earn, of the decisions whose sales all say it.
shares AS
(
    SELECT began_ns, id, sum(own_margin) / sum(own_revenue) AS share
    FROM dated
    WHERE is_earning AND NOT is_refund
    GROUP BY began_ns, id
    HAVING count() = count(own_margin) AND count() = count(own_revenue)
        AND sum(own_margin) >= 0 AND sum(own_revenue) > 0
),
counted AS
(
    SELECT d.began_ns AS began_ns, d.id AS id, told_ns, is_refund, is_earning, is_late,
        if({outcome:String} = 'margin' AND is_refund AND isNull(own_margin) AND s.id != '',
            -abs(own_revenue) * s.share, plain) AS amount
    FROM dated AS d LEFT JOIN shares AS s ON d.began_ns = s.began_ns AND d.id = s.id
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
    if(has_sold, countIf(is_earning AND isNull(amount) AND (NOT is_late OR is_refund)), 0) AS amounts_missing
FROM counted
GROUP BY began_ns, id
