-- Says something else of an event that was judged before.
-- Returns: nothing; its row is written again under a new revision.
INSERT INTO provenance_events
SELECT
    producer, epoch, seq, item_id, {verdict:String}, count, {reason:String}, kid, trace_id, span_id,
    ended_ns, received_ns, {revision:UInt64}
FROM provenance_events FINAL
WHERE producer = {producer:String} AND epoch = {epoch:String} AND seq = {seq:Int64} AND item_id = ''
