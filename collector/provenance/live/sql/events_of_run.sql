-- The events of a run of numbers, or of a key, that have a verdict of some.
-- Returns: trace_id, span_id String, received_ns UInt64, verdict, reason String.
SELECT trace_id, span_id, received_ns, toString(verdict) AS verdict, toString(reason) AS reason
FROM provenance_events FINAL
WHERE ({kid:String} = '' OR kid = {kid:String})
    AND
    (
        {kid:String} != ''
        OR
        (
            producer = {producer:String}
            AND epoch = {epoch:String}
            AND seq >= {first_seq:Int64}
            AND seq <= {last_seq:Int64}
            AND item_id = ''
        )
    )
    AND verdict IN {verdicts:Array(String)}
