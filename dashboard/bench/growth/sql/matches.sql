-- In which second the decisions of one day began that outcomes are counted to.
-- Returns: nothing; fills outcome_matches.
INSERT INTO outcome_matches (outcome_id, second_ns, revision)
WITH
    (id, copy) -> lower(concat(leftPad(hex(cityHash64(id, copy, {day_ns:UInt64})), 16, '0'),
        leftPad(hex(sipHash64(id, copy, {day_ns:UInt64})), 16, '0'))) AS renamed,
    toInt64({day_ns:UInt64} + (copy * {pool:UInt64} + p.place) * {step_ns:UInt64}) - toInt64(p.ingress_ns) AS shift_ns
SELECT
    concat('o-', renamed(o.decision_id, copy)), intDiv(p.ingress_ns + shift_ns, 1000000000) * 1000000000, 1
FROM (SELECT decision_id FROM growth_pool.outcomes FINAL) AS o
INNER JOIN growth_pool.places AS p ON o.decision_id = p.trace_id
ARRAY JOIN range({from_copy:UInt64}, {to_copy:UInt64}) AS copy
