-- Numbers that some events have, as was said of them.
-- Returns: producer, epoch String, seq Int64, received_ns UInt64; one row a number.
SELECT producer, epoch, seq, received_ns
FROM provenance_events FINAL
WHERE trace_id IN {trace_ids:Array(String)}
    AND span_id IN {span_ids:Array(String)}
    AND item_id = ''
    AND verdict IN ('ok', 'reordered')
