-- The spans that decisions had at the revision that is in force. What a run that was killed on its way to the
-- next revision has written of that one is left out.
-- Returns: ingress_ns Int64, decision_id, span_ids Array(String); a row a decision, unordered.
WITH
    in_force AS
    (
        SELECT ingress_ns, decision_id, revision
        FROM attributions FINAL
        WHERE ingress_ns IN {ingress_ns:Array(UInt64)} AND decision_id IN {decision_ids:Array(String)}
    ),
    unfinished AS
    (
        SELECT ingress_ns, decision_id, revision, spans_added
        FROM attribution_revisions FINAL
        WHERE ingress_ns IN {ingress_ns:Array(UInt64)} AND decision_id IN {decision_ids:Array(String)}
    )
SELECT toInt64(p.ingress_ns) AS ingress_ns, p.decision_id AS decision_id, groupUniqArray(p.span_id) AS span_ids
FROM
(
    SELECT ingress_ns, decision_id, span_id, revision
    FROM path_spans
    WHERE ingress_ns IN {ingress_ns:Array(UInt64)} AND decision_id IN {decision_ids:Array(String)}
) AS p
INNER JOIN in_force AS a ON a.ingress_ns = p.ingress_ns AND a.decision_id = p.decision_id
LEFT JOIN unfinished AS u
    ON u.ingress_ns = a.ingress_ns AND u.decision_id = a.decision_id AND u.revision = a.revision + 1
WHERE p.revision >= a.revision AND NOT has(u.spans_added, p.span_id)
GROUP BY ingress_ns, decision_id
