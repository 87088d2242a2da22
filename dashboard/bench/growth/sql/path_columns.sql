-- Trees of one day, as the job made them of the pool.
-- Returns: nothing; fills path_columns.
INSERT INTO path_columns
WITH
    (id, copy) -> lower(concat(leftPad(hex(cityHash64(id, copy, {day_ns:UInt64})), 16, '0'),
        leftPad(hex(sipHash64(id, copy, {day_ns:UInt64})), 16, '0'))) AS renamed,
    toInt64({day_ns:UInt64} + (copy * {pool:UInt64} + p.place) * {step_ns:UInt64}) - toInt64(p.ingress_ns) AS shift_ns
SELECT
    a.* REPLACE (
        a.ingress_ns + shift_ns AS ingress_ns, renamed(a.decision_id, copy) AS decision_id,
        renamed(a.trace_id, copy) AS trace_id, a.base_ns + shift_ns AS base_ns,
        a.transform_ns + shift_ns AS transform_ns, a.decision_ns + shift_ns AS decision_ns,
        a.egress_ns + shift_ns AS egress_ns, a.end_ns + shift_ns AS end_ns
    )
FROM (SELECT * FROM growth_pool.path_columns FINAL) AS a
INNER JOIN growth_pool.places AS p ON a.trace_id = p.trace_id
ARRAY JOIN range({from_copy:UInt64}, {to_copy:UInt64}) AS copy
