-- How many decisions a question is about.
-- Returns: decisions UInt64; one row.
SELECT count() AS decisions
FROM attributions FINAL
WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
    AND ({action:String} = '' OR action = {action:String})
    AND ({region:String} = '' OR region = {region:String})
    AND total_ns >= {low_ns:UInt64} AND total_ns < {high_ns:UInt64}
