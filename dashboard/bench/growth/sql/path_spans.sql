-- Spans of one day as assembled, as the job made them of the pool.
-- Returns: nothing; fills path_spans.
INSERT INTO path_spans
WITH
    (id, copy) -> lower(concat(leftPad(hex(cityHash64(id, copy, {day_ns:UInt64})), 16, '0'),
        leftPad(hex(sipHash64(id, copy, {day_ns:UInt64})), 16, '0'))) AS renamed,
    toInt64({day_ns:UInt64} + (copy * {pool:UInt64} + p.place) * {step_ns:UInt64}) - toInt64(p.ingress_ns) AS shift_ns
SELECT
    a.* REPLACE (
        a.ingress_ns + shift_ns AS ingress_ns, renamed(a.decision_id, copy) AS decision_id,
        renamed(a.trace_id, copy) AS trace_id, a.start_ns + shift_ns AS start_ns,
        arrayMap(s -> (toUInt64(s.1 + shift_ns), toUInt64(s.2 + shift_ns)), a.sections) AS sections
    )
FROM (SELECT * FROM growth_pool.path_spans FINAL) AS a
INNER JOIN growth_pool.places AS p ON a.trace_id = p.trace_id
ARRAY JOIN range({from_copy:UInt64}, {to_copy:UInt64}) AS copy
