-- The days in which some rows of decisions lie: without them every part of the table would be looked at.
-- Returns: partition String.
SELECT DISTINCT _partition_id AS partition
FROM decisions
WHERE ingress_ns IN {ingress_ns:Array(UInt64)} AND decision_id IN {decision_ids:Array(String)}
