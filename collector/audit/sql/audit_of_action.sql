-- The rows of the audit that say one thing.
-- Returns: the columns of AuditRow, in order.
SELECT seq, at_ns, actor, action, detail, prev_hash, hash
FROM audit
WHERE action = {action:String}
ORDER BY seq
