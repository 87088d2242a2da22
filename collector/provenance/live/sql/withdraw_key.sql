-- Takes the word back that was given on events of a key which was revoked, or retired before they ended or arrived.
-- Returns: nothing; their rows are written again under a new revision.
INSERT INTO provenance_events
SELECT
    producer, epoch, seq, item_id, 'tampered', count, {reason:String}, kid, trace_id, span_id, ended_ns,
    received_ns, {revision:UInt64}
FROM provenance_events FINAL
WHERE kid = {kid:String}
    AND verdict IN ('ok', 'reordered')
    AND (ended_ns > {after_ns:UInt64} OR received_ns > {after_ns:UInt64})
