-- Gives the word back that was taken from events of a key, as far as the key holds again.
-- Returns: nothing; their rows are written again under a new revision.
INSERT INTO provenance_events
SELECT
    producer, epoch, seq, item_id, 'ok', count, '', kid, trace_id, span_id, ended_ns, received_ns, {revision:UInt64}
FROM provenance_events FINAL
WHERE kid = {kid:String}
    AND verdict = 'tampered'
    AND startsWith(reason, 'taken back: ')
    AND ended_ns <= {until_ns:UInt64}
    AND received_ns <= {until_ns:UInt64}
