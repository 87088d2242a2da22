-- Repeats the stored trees as later decisions of other ids, for the benchmark. Each copy lasts up to a tenth
-- longer or shorter, so that no column packs better than one of real decisions.
-- Returns: nothing.
INSERT INTO path_columns
SELECT
    toUInt64(to_ns + intDiv((toInt64(c.ingress_ns) - from_ns) * permille, 1000)) AS ingress_ns,
    lower(hex(sipHash128(c.decision_id, copy))) AS decision_id,
    revision,
    decision_id AS trace_id,
    action, region, channel, cohort, is_error, flags,
    toUInt64(to_ns) AS base_ns,
    toUInt64(to_ns + intDiv((toInt64(c.transform_ns) - from_ns) * permille, 1000)) AS transform_ns,
    toUInt64(to_ns + intDiv((toInt64(c.decision_ns) - from_ns) * permille, 1000)) AS decision_ns,
    toUInt64(to_ns + intDiv((toInt64(c.egress_ns) - from_ns) * permille, 1000)) AS egress_ns,
    toUInt64(to_ns + intDiv((toInt64(c.end_ns) - from_ns) * permille, 1000)) AS end_ns,
    parent,
    arrayMap(o -> toUInt32(intDiv(o * permille, 1000)), c.offset_ns) AS offset_ns,
    -- From the ends, so that what ended together still does.
    arrayMap(
        (o, d) -> toUInt32(intDiv((toInt64(o) + d) * permille, 1000) - intDiv(o * permille, 1000)),
        c.offset_ns, c.duration_ns
    ) AS duration_ns,
    traits,
    long_ns,
    span_id, parent_id, span_trace, service_name, span_name, marks, shift_ns, clock_bound_ns, self_ns, sections
FROM (
    SELECT
        *, copy,
        toInt64(base_ns) AS from_ns,
        from_ns + copy * toInt64({apart_ns:UInt64}) AS to_ns,
        toInt64(900 + cityHash64(decision_id, copy) % 200) AS permille
    FROM (SELECT * FROM path_columns FINAL) AS stored
    ARRAY JOIN range(1, {copies:UInt64}) AS copy
) AS c
