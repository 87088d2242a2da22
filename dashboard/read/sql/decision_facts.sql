-- One decision as its root span stated it.
-- Returns: the columns of `decisions`; the newest decision of that id; no rows when there is none.
SELECT *
FROM decisions FINAL
WHERE decision_id = {decision_id:String}
ORDER BY ingress_ns DESC
LIMIT 1
