-- What a quarter's figures count that came after its end: outcomes that happened in it and were received later, and
-- outcomes of its decisions that happened later. Also on how many of its days there are decisions, and when they began.
-- Returns: received_late, happened_late, decisions, days, first_ns UInt64, 0 without any; one row.
WITH own AS
(
    SELECT ingress_ns, decision_id, outcome_key FROM decisions FINAL
    WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64} AND action != {left_out:String}
)
SELECT
    (SELECT count() FROM outcomes FINAL
        WHERE event_ns >= {from_ns:UInt64} AND event_ns < {to_ns:UInt64} AND received_ns >= {to_ns:UInt64}) AS received_late,
    (SELECT count() FROM outcomes FINAL
        WHERE event_ns >= {to_ns:UInt64} AND (decision_id != '' AND decision_id IN (SELECT decision_id FROM own)
            OR decision_id = '' AND outcome_key IN (SELECT outcome_key FROM own WHERE outcome_key != ''))) AS happened_late,
    count() AS decisions,
    uniqExact(intDiv(ingress_ns, 86400000000000)) AS days,
    min(ingress_ns) AS first_ns
FROM own
