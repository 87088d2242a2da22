-- Revenue of outcomes by the day on which it happened, by whether its decision is known, and the ledger's total.
-- An outcome is ambiguous where its id or key names several decisions; by key only those count that began before.
-- A refund whose decision sold nothing that is known has replaced its sale, and counts as nothing. One that
-- names neither a decision nor a key is of no sale, whatever else names neither.
-- Returns: day_ns UInt64; matched, unmatched, ambiguous Decimal, refunds taken off; matched_outcomes,
--   unmatched_outcomes, ambiguous_outcomes, unknown_outcomes UInt64 (of no known amount: in no sum); ledger
--   Nullable(Decimal), null where no ledger has the day or one of its amounts has no rate; unconverted UInt64,
--   of how many that is so; node_revenue Map(UInt32, Decimal), node_outcomes Map(UInt32, UInt64): of the matched, by the
--   first rule that their decision matches, 0 for none; by day.
WITH
-- A time is as long as the last unit that it is written in, as in `latest_begin_ns`.
(event_ns, received_ns) -> greatest(event_ns, least(received_ns + 3600000000000, event_ns + multiIf(
    event_ns % 86400000000000 = 0, 86399999999999, event_ns % 60000000000 = 0, 59999999999,
    event_ns % 1000000000 = 0, 999999999, event_ns % 1000000 = 0, 999999, event_ns % 1000 = 0, 999, 0)))
AS latest_begin_ns,
sold AS
(
    SELECT outcome_id, decision_id AS id, outcome_key AS key, event_ns, received_ns FROM outcomes FINAL
    WHERE is_sale
),
-- Each sale with the one decision that it is of.
sellers AS
(
    SELECT min(ingress_ns) AS at_ns, decision_id AS seller FROM decisions FINAL
    WHERE decision_id IN (SELECT id FROM sold WHERE id != '')
    GROUP BY decision_id
    UNION ALL
    SELECT max(d.ingress_ns) AS at_ns, argMax(d.decision_id, (d.ingress_ns, d.decision_id)) AS seller
    FROM (SELECT * FROM sold WHERE id = '' AND key != '') AS s
    INNER JOIN (SELECT ingress_ns, decision_id, outcome_key FROM decisions FINAL) AS d ON s.key = d.outcome_key
    WHERE d.ingress_ns <= latest_begin_ns(s.event_ns, s.received_ns)
    GROUP BY s.outcome_id
),
rates AS (SELECT toString(currency) AS currency, day_ns, rate FROM currency_rates FINAL),
told AS
(
    SELECT
        o.outcome_id AS outcome_id, o.decision_id AS id, o.outcome_key AS key, latest_begin_ns(o.event_ns, o.received_ns) AS until_ns,
        o.kind = 'refund' AS is_refund,
        if(o.decision_id != '', o.decision_id IN (SELECT id FROM sold),
            o.outcome_key IN (SELECT key FROM sold WHERE id = '' AND key != '')) AS has_sale,
        intDiv(o.event_ns, 86400000000000) * 86400000000000 AS day_ns,
        multiIf(o.currency = {currency:String}, o.revenue,
            r.rate > 0 AND o.event_ns - r.day_ns < ({rate_days:UInt64} + 1) * 86400000000000,
            accurateCastOrNull(round(toDecimal128(o.revenue, 6) * r.rate, 6), 'Decimal(18, 6)'), NULL) AS stated,
        if(o.kind = 'refund', -abs(stated), stated) AS amount,
        NOT o.is_sale AND o.kind != 'refund' AS is_nothing
    FROM
    (
        SELECT outcome_id, decision_id, outcome_key, toString(kind) AS kind, is_sale,
            toString(currency) AS currency, revenue, event_ns, received_ns
        FROM outcomes FINAL
        WHERE event_ns >= {from_ns:UInt64} AND event_ns < {to_ns:UInt64}
    ) AS o
    ASOF LEFT JOIN rates AS r ON o.currency = r.currency AND o.event_ns >= r.day_ns
),
candidates AS
(
    SELECT
        ingress_ns, decision_id, outcome_key,
        arrayFirstIndex((a, c, r, p, g, o) -> (a = '' OR a = action) AND (c = '' OR c = channel) AND (r = '' OR r = region)
                AND (p = '' OR p = route) AND (g = '' OR g = campaign) AND (o = '' OR o = offer_type),
            {node_action:Array(String)}, {node_channel:Array(String)}, {node_region:Array(String)},
            {node_route:Array(String)}, {node_campaign:Array(String)}, {node_offer_type:Array(String)}) AS node,
        (ingress_ns, decision_id) IN (SELECT at_ns, seller FROM sellers) AS is_sold
    FROM decisions FINAL
    WHERE decision_id IN (SELECT id FROM told WHERE id != '')
        OR outcome_key IN (SELECT key FROM told WHERE id = '' AND key != '')
),
counted AS
(
    SELECT t.outcome_id AS outcome_id, any(t.day_ns) AS day_ns,
        countIf(c.ingress_ns > 0) AS decisions,
        any(t.amount) * (NOT any(t.is_refund)
            OR if(decisions = 0, any(t.has_sale), argMin(c.is_sold, c.ingress_ns))) AS amount,
        any(t.is_nothing) AS is_nothing, anyIf(c.node, c.ingress_ns > 0) AS node
    FROM (SELECT * FROM told WHERE id != '') AS t
    LEFT JOIN candidates AS c ON t.id = c.decision_id
    GROUP BY t.outcome_id
    UNION ALL
    SELECT t.outcome_id AS outcome_id, any(t.day_ns) AS day_ns,
        countIf(c.ingress_ns > 0 AND c.ingress_ns <= t.until_ns) AS decisions,
        any(t.amount) * (NOT any(t.is_refund)
            OR if(decisions = 0, any(t.has_sale), max(c.is_sold AND c.ingress_ns <= t.until_ns))) AS amount,
        any(t.is_nothing) AS is_nothing, anyIf(c.node, c.ingress_ns > 0 AND c.ingress_ns <= t.until_ns) AS node
    FROM (SELECT * FROM told WHERE id = '') AS t
    LEFT JOIN (SELECT * FROM candidates WHERE outcome_key != '') AS c ON t.key = c.outcome_key
    GROUP BY t.outcome_id
),
days AS
(
    SELECT
        day_ns,
        sumIf(ifNull(amount, 0), decisions = 1) AS matched,
        sumIf(ifNull(amount, 0), decisions = 0) AS unmatched,
        sumIf(ifNull(amount, 0), decisions > 1) AS ambiguous,
        countIf(decisions = 1) AS matched_outcomes,
        countIf(decisions = 0) AS unmatched_outcomes,
        countIf(decisions > 1) AS ambiguous_outcomes,
        countIf(isNull(amount) AND NOT is_nothing) AS unknown_outcomes,
        sumMapIf(map(toUInt32(node), ifNull(amount, 0)), decisions = 1) AS node_revenue,
        sumMapIf(map(toUInt32(node), toUInt64(1)), decisions = 1) AS node_outcomes
    FROM counted
    GROUP BY day_ns
),
stated AS
(
    SELECT
        l.day_ns AS day_ns,
        multiIf(l.currency = {currency:String}, toDecimal128(l.amount, 6),
            r.rate > 0 AND l.day_ns - r.day_ns < ({rate_days:UInt64} + 1) * 86400000000000,
            toDecimal128(round(toDecimal128(l.amount, 6) * r.rate, 6), 6), NULL) AS converted
    FROM
    (
        SELECT source, day_ns, toString(currency) AS currency, amount
        FROM ledger_days FINAL
        WHERE day_ns >= {from_ns:UInt64} AND day_ns < {to_ns:UInt64}
    ) AS l
    ASOF LEFT JOIN rates AS r ON l.currency = r.currency AND l.day_ns >= r.day_ns
),
books AS
(
    SELECT day_ns, countIf(isNull(converted)) AS unconverted, if(unconverted > 0, NULL, sum(converted)) AS ledger
    FROM stated
    GROUP BY day_ns
)
SELECT
    if(d.day_ns > 0, d.day_ns, b.day_ns) AS day_ns,
    d.matched AS matched, d.unmatched AS unmatched, d.ambiguous AS ambiguous,
    d.matched_outcomes AS matched_outcomes, d.unmatched_outcomes AS unmatched_outcomes,
    d.ambiguous_outcomes AS ambiguous_outcomes, d.unknown_outcomes AS unknown_outcomes,
    if(b.day_ns > 0, b.ledger, NULL) AS ledger, b.unconverted AS unconverted,
    d.node_revenue AS node_revenue, d.node_outcomes AS node_outcomes
FROM days AS d
FULL OUTER JOIN books AS b ON d.day_ns = b.day_ns
ORDER BY day_ns
