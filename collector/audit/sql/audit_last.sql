-- The end of the audit's chain.
-- Returns: seq UInt64, at_ns UInt64, actor, action, detail, prev_hash, hash String; no row while
-- the chain is empty.
SELECT seq, at_ns, actor, action, detail, prev_hash, hash
FROM audit
ORDER BY seq DESC
LIMIT 1
