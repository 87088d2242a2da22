-- Whether late spans changed how decisions of one action that began in [from_ns, end_ns) were split.
-- Returns: revisions UInt64, newest_ns UInt64 (0 where there are none); one row.
SELECT count() AS revisions, max(computed_ns) AS newest_ns
FROM attribution_revisions FINAL
WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {end_ns:UInt64} AND action = {action:String}
