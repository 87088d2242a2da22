-- Whether an act is in the audit.
-- Returns: acts UInt64, one row.
SELECT count() AS acts
FROM audit
WHERE at_ns = {at_ns:UInt64} AND action = {action:String} AND detail = {detail:String}
