-- The critical path of every decision of one action that began from an instant on.
-- Returns: decision_id String; bounds_ns Array(UInt64) of five: where the stages begin, and the end;
--   sections Array(Tuple(class, stage, from_ns, to_ns)): stage "" where the stamps cut; unordered.
SELECT
    p.decision_id AS decision_id,
    any([d.ingress_ns, d.transform_ns, d.decision_ns, d.egress_ns, d.end_ns]) AS bounds_ns,
    groupArrayArray(arrayMap(
        s -> (p.class, if(p.parent_span_id = '', '', p.stage), s.1, s.2),
        p.sections
    )) AS sections
FROM
(
    SELECT ingress_ns, decision_id, transform_ns, decision_ns, egress_ns, end_ns
    FROM decisions FINAL
    WHERE action = {action:String} AND ingress_ns >= {from_ns:UInt64}
) AS d
INNER JOIN
(
    SELECT ingress_ns, decision_id, parent_span_id, class, stage, sections
    FROM path_spans
    WHERE ingress_ns >= {from_ns:UInt64} AND on_path
) AS p USING (ingress_ns, decision_id)
GROUP BY p.decision_id
