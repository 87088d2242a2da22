-- How many decisions took how long, in columns of seconds, from the decisions themselves: for windows
-- in which a minute would be too coarse to see anything.
-- Returns: column_ns UInt64, bucket UInt16 (floor(8 * log2(ns))), decisions UInt64; by column, bucket.
SELECT
    intDiv(ingress_ns, {step_ns:UInt64}) * {step_ns:UInt64} AS column_ns,
    if(total_ns = 0, 0, toUInt16(floor(8 * log2(total_ns)))) AS bucket,
    count() AS decisions
FROM attributions FINAL
WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
    AND ({action:String} = '' OR action = {action:String})
    AND ({region:String} = '' OR region = {region:String})
GROUP BY column_ns, bucket
ORDER BY column_ns, bucket
