-- The spans that decisions had at the revision that is in force. Where a run was killed on its way to the next
-- revision, what that revision changed is taken back.
-- Returns: ingress_ns Int64, decision_id, span_ids Array(String); a row a decision, unordered.
WITH if(p.revision > a.revision, u.spans_added, []) AS unfinished
SELECT
    toInt64(p.ingress_ns) AS ingress_ns,
    p.decision_id AS decision_id,
    arrayConcat(arrayFilter(id -> NOT has(unfinished, id), p.ids),
        if(p.revision > a.revision, u.spans_removed, [])) AS span_ids
FROM
(
    SELECT ingress_ns, decision_id, revision, arrayMap(id -> leftPad(lower(hex(id)), 16, '0'), span_id) AS ids
    FROM path_columns FINAL
    WHERE ingress_ns IN {ingress_ns:Array(UInt64)} AND decision_id IN (SELECT arrayJoin({decision_ids:Array(String)}))
) AS p
INNER JOIN
(
    SELECT ingress_ns, decision_id, revision
    FROM attributions FINAL
    WHERE ingress_ns IN {ingress_ns:Array(UInt64)} AND decision_id IN (SELECT arrayJoin({decision_ids:Array(String)}))
) AS a ON a.ingress_ns = p.ingress_ns AND a.decision_id = p.decision_id
LEFT JOIN
(
    SELECT ingress_ns, decision_id, revision, spans_added, spans_removed
    FROM attribution_revisions FINAL
    WHERE ingress_ns IN {ingress_ns:Array(UInt64)} AND decision_id IN (SELECT arrayJoin({decision_ids:Array(String)}))
) AS u ON u.ingress_ns = p.ingress_ns AND u.decision_id = p.decision_id AND u.revision = p.revision
