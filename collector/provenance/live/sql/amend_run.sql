-- Says something else of the events of a run that was judged before.
-- Returns: nothing; their rows are written again under a new revision.
INSERT INTO provenance_events
SELECT
    producer, epoch, seq, item_id, {verdict:String}, count, {reason:String}, kid, trace_id, span_id,
    ended_ns, received_ns, {revision:UInt64}
FROM provenance_events FINAL
WHERE producer = {producer:String}
    AND epoch = {epoch:String}
    AND seq >= {first_seq:Int64}
    AND seq <= {last_seq:Int64}
    AND item_id = ''
    AND verdict IN ('ok', 'reordered')
