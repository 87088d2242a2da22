-- In which modes decisions were made: live, canary, or whatever services say.
-- Returns: mode String; by name, at most 5; no rows where no decision says.
SELECT DISTINCT toString(mode) AS mode
FROM decisions
WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64} AND mode != ''
    AND ({action:String} = '' OR action = {action:String})
    AND ({region:String} = '' OR region = {region:String})
ORDER BY mode
LIMIT 5
