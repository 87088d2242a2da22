-- Removes rows of decisions that a retry stamped otherwise: the first received of a root is the current one, and
-- whoever counts the table counts it once. The spans of the retry stay where they are.
-- Returns: nothing.
DELETE FROM decisions${local} ${on_cluster}
IN PARTITION ID {partition:String}
WHERE (ingress_ns, decision_id) IN arrayZip({ingress_ns:Array(UInt64)}, {decision_ids:Array(String)})
