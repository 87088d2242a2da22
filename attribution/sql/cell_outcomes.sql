-- The outcomes of the decisions of some seconds, each matched to one decision: by id (the earliest of
-- those that share it), else by key (the last decision that carries it and began before the outcome).
-- Returns: ingress_ns Int64, decision_id String, kind String, converted UInt8, revenue and margin
-- Nullable(Decimal(18, 6)), null too where the currency is not the one that values are stated in; by
-- ingress_ns, decision_id, outcome_id.
WITH
    touched AS
    (
        SELECT decision_id, outcome_key FROM decisions
        WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
            AND intDiv(ingress_ns, 1000000000) * 1000000000 IN {seconds_ns:Array(UInt64)}
    ),
    earned AS
    (
        SELECT
            *,
            if(currency = {currency:String}, revenue, NULL) AS revenue_known,
            if(currency = {currency:String}, margin, NULL) AS margin_known
        FROM outcomes FINAL
        WHERE received_ns >= {received_from_ns:UInt64}
            AND (decision_id IN (SELECT decision_id FROM touched)
                OR (decision_id = ''
                    AND outcome_key IN (SELECT outcome_key FROM touched WHERE outcome_key != '')))
    )
SELECT
    toInt64(matched.ingress_ns) AS ingress_ns,
    matched.decision_id AS decision_id,
    toString(matched.kind) AS kind,
    matched.converted AS converted,
    matched.revenue_known AS revenue,
    matched.margin_known AS margin
FROM
(
    SELECT
        d.ingress_ns AS ingress_ns, d.decision_id AS decision_id, o.outcome_id AS outcome_id,
        o.kind AS kind, o.converted AS converted, o.revenue_known AS revenue_known,
        o.margin_known AS margin_known
    FROM (SELECT * FROM earned WHERE decision_id != '') AS o
    INNER JOIN
    (
        SELECT near.decision_id AS decision_id, min(near.ingress_ns) AS ingress_ns
        FROM decisions AS near
        WHERE near.ingress_ns >= {near_from_ns:UInt64} AND near.ingress_ns < {near_to_ns:UInt64}
            AND near.decision_id IN (SELECT decision_id FROM touched)
        GROUP BY near.decision_id
    ) AS d ON o.decision_id = d.decision_id
    UNION ALL
    SELECT
        d.ingress_ns AS ingress_ns, d.decision_id AS decision_id, o.outcome_id AS outcome_id,
        o.kind AS kind, o.converted AS converted, o.revenue_known AS revenue_known,
        o.margin_known AS margin_known
    FROM (SELECT * FROM earned WHERE decision_id = '') AS o
    ASOF INNER JOIN
    (
        SELECT outcome_key, ingress_ns, decision_id FROM decisions FINAL
        WHERE outcome_key IN (SELECT outcome_key FROM touched WHERE outcome_key != '')
    ) AS d ON o.outcome_key = d.outcome_key AND o.event_ns >= d.ingress_ns
) AS matched
WHERE intDiv(matched.ingress_ns, 1000000000) * 1000000000 IN {seconds_ns:Array(UInt64)}
ORDER BY ingress_ns, decision_id, outcome_id, kind
