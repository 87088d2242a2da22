-- What changed of one decision from each revision of its attribution to the next.
-- Returns: revision UInt32, changes Array(Tuple(name, before, after String)), spans_added, spans_removed
--   Array(String), computed_ns UInt64; by revision, up to the one that is shown.
SELECT revision, changes, spans_added, spans_removed, computed_ns
FROM attribution_revisions FINAL
WHERE ingress_ns = {ingress_ns:UInt64} AND decision_id = {decision_id:String} AND revision <= {revision:UInt32}
ORDER BY revision
