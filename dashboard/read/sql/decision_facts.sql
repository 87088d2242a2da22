-- One decision as its root span stated it.
-- Parameters: ingress_ns, of which of that id; 0 is the newest.
-- Returns: the columns of `decisions`; no rows when there is none.
SELECT *
FROM decisions FINAL
WHERE decision_id = {decision_id:String} AND ({ingress_ns:UInt64} = 0 OR ingress_ns = {ingress_ns:UInt64})
ORDER BY ingress_ns DESC
LIMIT 1
