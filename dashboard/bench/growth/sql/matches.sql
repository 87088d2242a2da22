-- To which decisions of one day outcomes are counted, as the job counted those of the pool.
-- Returns: nothing; fills outcome_matches.
INSERT INTO outcome_matches
WITH
    (id, copy) -> lower(concat(leftPad(hex(cityHash64(id, copy, {day_ns:UInt64})), 16, '0'),
        leftPad(hex(sipHash64(id, copy, {day_ns:UInt64})), 16, '0'))) AS renamed,
    toInt64({day_ns:UInt64} + (copy * {pool:UInt64} + p.place) * {step_ns:UInt64}) - toInt64(p.ingress_ns) AS shift_ns
SELECT
    m.* REPLACE (
        m.ingress_ns + shift_ns AS ingress_ns, renamed(m.decision_id, copy) AS decision_id,
        concat('o-', renamed(m.decision_id, copy)) AS outcome_id, m.event_ns + shift_ns AS event_ns
    )
FROM (SELECT * FROM growth_pool.outcome_matches FINAL) AS m
INNER JOIN growth_pool.places AS p ON m.decision_id = p.trace_id
ARRAY JOIN range({from_copy:UInt64}, {to_copy:UInt64}) AS copy
