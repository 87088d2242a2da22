-- Outcomes of one day, of the decisions that `spans.sql` makes; told five seconds later.
-- Returns: nothing; fills outcomes.
INSERT INTO outcomes
    (outcome_id, kind, decision_id, outcome_key, converted, revenue, margin, currency, channel, event_ns, source,
    received_ns)
WITH
    (id, copy) -> lower(concat(leftPad(hex(cityHash64(id, copy, {day_ns:UInt64})), 16, '0'),
        leftPad(hex(sipHash64(id, copy, {day_ns:UInt64})), 16, '0'))) AS renamed,
    toInt64({day_ns:UInt64} + (copy * {pool:UInt64} + p.place) * {step_ns:UInt64}) - toInt64(p.ingress_ns) AS shift_ns
SELECT
    concat('o-', renamed(o.decision_id, copy)), o.kind, renamed(o.decision_id, copy), o.outcome_key, o.converted,
    o.revenue, o.margin, o.currency, o.channel, o.event_ns + shift_ns, o.source, o.event_ns + shift_ns + 5000000000
FROM (SELECT * FROM growth_pool.outcomes FINAL) AS o
INNER JOIN growth_pool.places AS p ON o.decision_id = p.trace_id
ARRAY JOIN range({from_copy:UInt64}, {to_copy:UInt64}) AS copy
