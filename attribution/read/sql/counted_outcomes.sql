-- What each outcome of some days counts in the books, and whether its decision is known; part of the statements beside it.
-- An outcome is ambiguous where its id or key names several decisions; by key only those count that began before.
-- A refund whose decision sold nothing that is known has replaced its sale, and counts as nothing, as in what decisions
-- earned: a sale by key is that of the last decision that has it and began before, as in `match_outcomes`. One that names
-- neither a decision nor a key is of no sale, whatever else names neither.
-- Returns: the CTEs of a statement, the last one counted, a row an outcome: outcome_id String; day_ns UInt64, on which it
--   happened; decisions UInt64, that it may be of; node UInt64, the first rule that its decision matches, 0 for none;
--   amount Nullable(Decimal), a refund's below 0; is_nothing UInt8: it says that nothing was sold; of UInt64, a hash of its
--   decision, of its name where none or several are known, of itself where it has no name.
-- Only of a refund is it asked whether something was sold before, of whatever day.
-- When the decision of an outcome by key began at the latest. A time is as long as the last unit that it is written in, as in `latest_begin_ns`.
(event_ns, received_ns) -> greatest(event_ns, least(received_ns + 3600000000000, event_ns + multiIf(
    event_ns % 86400000000000 = 0, 86399999999999, event_ns % 60000000000 = 0, 59999999999,
    event_ns % 1000000000 = 0, 999999999, event_ns % 1000000 = 0, 999999, event_ns % 1000 = 0, 999, 0)))
AS latest_begin_ns,
back AS
(
    SELECT decision_id AS id, outcome_key AS key FROM outcomes
    WHERE event_ns >= {from_ns:UInt64} AND event_ns < {to_ns:UInt64} AND kind = 'refund'
),
given AS
(
    SELECT ingress_ns, decision_id AS id, outcome_key AS key FROM decisions FINAL
    WHERE decision_id IN (SELECT id FROM back WHERE id != '') OR outcome_key IN
    (
        SELECT key FROM back WHERE key != ''
        UNION DISTINCT
        SELECT outcome_key FROM decisions WHERE outcome_key != '' AND decision_id IN (SELECT id FROM back WHERE id != '')
    )
),
sales AS
(
    SELECT outcome_id, decision_id AS id, outcome_key AS key, event_ns, received_ns FROM outcomes FINAL
    WHERE is_sale AND outcome_id IN
    (
        SELECT outcome_id FROM outcomes
        WHERE decision_id IN (SELECT id FROM back WHERE id != '' UNION DISTINCT SELECT id FROM given)
        UNION DISTINCT
        SELECT outcome_id FROM outcomes
        WHERE outcome_key IN (SELECT key FROM back WHERE key != '' UNION DISTINCT SELECT key FROM given WHERE key != '')
    )
),
sold_by_key AS
(
    SELECT max((g.ingress_ns, g.id)) AS decision FROM sales AS s INNER JOIN given AS g ON s.key = g.key
    WHERE s.id = '' AND s.key != '' AND g.ingress_ns <= latest_begin_ns(s.event_ns, s.received_ns)
    GROUP BY s.outcome_id
),
rates AS (SELECT toString(currency) AS currency, day_ns, rate FROM currency_rates FINAL),
told AS
(
    SELECT
        o.outcome_id AS outcome_id, latest_begin_ns(o.event_ns, o.received_ns) AS until_ns,
        o.kind = 'refund' AS is_refund,
        -- What is sold under a name of which no decision is known.
        is_refund AND if(o.decision_id != '', o.decision_id IN (SELECT id FROM sales),
            o.outcome_key IN (SELECT key FROM sales WHERE id = '' AND key != '')) AS has_sale,
        o.decision_id = '' AS is_by_key,
        if(is_by_key, o.outcome_key, o.decision_id) AS name,
        intDiv(o.event_ns, 86400000000000) * 86400000000000 AS day_ns,
        multiIf(o.currency = {currency:String}, o.revenue,
            r.rate > 0 AND o.event_ns - r.day_ns < ({rate_days:UInt64} + 1) * 86400000000000,
            accurateCastOrNull(round(toDecimal128(o.revenue, 6) * r.rate, 6), 'Decimal(18, 6)'), NULL) AS stated,
        if(is_refund, -abs(stated), stated) AS amount,
        NOT o.is_sale AND NOT is_refund AS is_nothing
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
        (ingress_ns, decision_id) IN (SELECT decision FROM sold_by_key) AS is_sold_by_key,
        is_sold_by_key OR decision_id IN (SELECT id FROM sales) AS is_sold
    FROM decisions FINAL
    -- Of every revision of the outcomes: what an earlier one named joins nothing.
    WHERE decision_id IN (SELECT decision_id FROM outcomes
            WHERE event_ns >= {from_ns:UInt64} AND event_ns < {to_ns:UInt64} AND decision_id != '')
        OR outcome_key IN (SELECT outcome_key FROM outcomes
            WHERE event_ns >= {from_ns:UInt64} AND event_ns < {to_ns:UInt64} AND decision_id = '' AND outcome_key != '')
),
-- Once, by id and by key: the engine reads what a name stands for as often as it is used.
named AS
(
    SELECT names.1 AS is_by_key, names.2 AS name, ingress_ns, node, is_sold, is_sold_by_key,
        cityHash64(ingress_ns, decision_id) AS decision
    FROM candidates
    ARRAY JOIN [(0, decision_id), (1, outcome_key)] AS names
    WHERE name != ''
),
counted AS
(
    SELECT outcome_id, any(m.day_ns) AS day_ns, countIf(m.is_before) AS decisions, anyIf(m.node, m.is_before) AS node,
        -- By id it is of the earliest that has it, by key of the last that sold something.
        multiIf(decisions = 0, any(m.has_sale), any(m.is_by_key), max(m.is_sold AND m.is_before),
            any(m.has_sale) OR argMin(m.is_sold_by_key, m.ingress_ns)) AS takes_off,
        any(m.amount) * (NOT any(m.is_refund) OR takes_off) AS amount,
        any(m.is_nothing) AS is_nothing,
        multiIf(decisions = 1, anyIf(m.decision, m.is_before), any(m.name) = '', cityHash64(outcome_id),
            cityHash64(any(m.is_by_key), any(m.name))) AS of
    FROM
    (
        SELECT
            t.outcome_id AS outcome_id, t.day_ns AS day_ns, t.amount AS amount, t.is_refund AS is_refund,
            t.has_sale AS has_sale, t.is_by_key AS is_by_key, t.is_nothing AS is_nothing, c.ingress_ns AS ingress_ns,
            c.node AS node, c.is_sold AS is_sold, c.is_sold_by_key AS is_sold_by_key, t.name AS name, c.decision AS decision,
            c.ingress_ns > 0 AND (NOT t.is_by_key OR c.ingress_ns <= t.until_ns) AS is_before
        FROM told AS t
        LEFT JOIN named AS c ON t.is_by_key = c.is_by_key AND t.name = c.name
    ) AS m
    GROUP BY outcome_id
)
