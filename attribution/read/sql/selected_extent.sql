-- How many decisions a question is about, when the first of them began, and on how many days of 24 hours since the
-- beginning there are any.
-- Returns: decisions UInt64, first_ns UInt64, 0 without any, days UInt64; one row.
SELECT
    count() AS decisions, min(ingress_ns) AS first_ns,
    uniqExact(intDiv(ingress_ns - {from_ns:UInt64}, 86400000000000)) AS days
FROM attributions FINAL
WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
    AND (action = {action:String} OR {action:String} = '' AND action != {calibration:String})
    AND ({region:String} = '' OR region = {region:String})
    AND total_ns >= {low_ns:UInt64} AND total_ns < {high_ns:UInt64}
