-- The chain of the audit after one sequence number.
-- Returns: seq UInt64, at_ns UInt64, actor, action, detail, prev_hash, hash String; by seq.
SELECT seq, at_ns, actor, action, detail, prev_hash, hash
FROM audit
WHERE seq > {after_seq:UInt64}
ORDER BY seq
LIMIT {limit:UInt64}
