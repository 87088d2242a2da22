-- To which decisions some outcomes were counted, and which were counted to the decisions of some seconds.
-- Returns: the columns of outcome_matches, times and revision Int64; every revision that is there, some twice; unordered.
SELECT
    toInt64(m.ingress_ns) AS ingress_ns, decision_id, outcome_id, toInt64(revision) AS revision, is_gone,
    toString(channel) AS channel, toString(kind) AS kind, is_sale, revenue, margin, toString(currency) AS currency,
    toInt64(event_ns) AS event_ns
FROM outcome_matches AS m
WHERE outcome_id IN (SELECT arrayJoin({outcome_ids:Array(String)}))
UNION ALL
SELECT
    toInt64(m.ingress_ns) AS ingress_ns, decision_id, outcome_id, toInt64(revision) AS revision, is_gone,
    toString(channel) AS channel, toString(kind) AS kind, is_sale, revenue, margin, toString(currency) AS currency,
    toInt64(event_ns) AS event_ns
FROM outcome_matches AS m
WHERE m.ingress_ns >= {from_ns:UInt64} AND m.ingress_ns < {to_ns:UInt64}
    AND intDiv(m.ingress_ns, 1000000000) * 1000000000 IN {seconds_ns:Array(UInt64)}
