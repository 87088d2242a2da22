-- Every outcome counted to the decision that it names by its id.
-- Returns: nothing; fills outcome_matches.
INSERT INTO outcome_matches
    (ingress_ns, decision_id, outcome_id, revision, channel, kind, is_sale, revenue, margin, currency, event_ns)
SELECT
    d.ingress_ns, d.decision_id, o.outcome_id, 1, d.channel, o.kind, o.is_sale, o.revenue, o.margin, o.currency, o.event_ns
FROM
(
    SELECT outcome_id, decision_id, kind, is_sale, revenue, margin, currency, event_ns FROM outcomes FINAL
) AS o
INNER JOIN (SELECT ingress_ns, decision_id, channel FROM decisions FINAL) AS d ON o.decision_id = d.decision_id
