-- The decisions that an operator may mean by an id: a decision's, its trace's, or its outcome key.
-- Returns: decision_id String, ingress_ns UInt64; newest first; no rows when nothing has the id.
SELECT decision_id, ingress_ns
FROM decisions FINAL
WHERE decision_id = {id:String} OR trace_id = {id:String}
    OR (outcome_key = {id:String} AND {id:String} != '')
ORDER BY ingress_ns DESC
LIMIT {rows_max:UInt64}
