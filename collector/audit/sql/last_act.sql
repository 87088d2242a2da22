-- The last row of the audit that says one thing.
-- Returns: detail String; no row where none does.
SELECT detail
FROM audit
WHERE action = {action:String}
ORDER BY seq DESC
LIMIT 1
