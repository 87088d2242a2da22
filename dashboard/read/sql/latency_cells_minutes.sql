-- How many decisions took how long, in columns of whole minutes, from the rollup.
-- Returns: column_ns UInt64, bucket UInt16 (floor(8 * log2(ns))), decisions UInt64; by column, bucket.
SELECT
    intDiv(minute_ns, {step_ns:UInt64}) * {step_ns:UInt64} AS column_ns,
    bucket,
    sum(minutes.decisions) AS decisions
FROM attribution_minutes AS minutes FINAL
WHERE minute_ns >= {from_ns:UInt64} AND minute_ns < {to_ns:UInt64}
    AND stage = '' AND class = ''
    AND ({action:String} = '' OR action = {action:String})
    AND ({region:String} = '' OR region = {region:String})
    AND (minute_ns, revision) IN
    (
        SELECT minute_ns, max(revision)
        FROM attribution_minutes
        WHERE minute_ns >= {from_ns:UInt64} AND minute_ns < {to_ns:UInt64}
        GROUP BY minute_ns
    )
GROUP BY column_ns, bucket
ORDER BY column_ns, bucket
