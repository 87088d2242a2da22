-- Some decisions of one action that began in [from_ns, end_ns), and in none of the intervals [without_from_ns,
-- without_end_ns): of a region where is_same is 1, else of all others; that did not fail where result is 0, that failed
-- where it is 1, and all where it is 2. Which ones is chance, and the same at each reading.
-- Returns: ingress_ns UInt64, decision_id, trace_id String; at most `limit` rows.
SELECT ingress_ns, decision_id, trace_id
FROM attributions FINAL
WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {end_ns:UInt64} AND action = {action:String}
    AND (region = {region:String}) = {is_same:UInt8}
    AND ({result:UInt8} = 2 OR is_error = {result:UInt8})
    AND NOT arrayExists(
        (begin_ns, over_ns) -> ingress_ns >= begin_ns AND ingress_ns < over_ns,
        {without_from_ns:Array(UInt64)}, {without_end_ns:Array(UInt64)})
ORDER BY cityHash64(decision_id), decision_id
LIMIT {limit:UInt16}
