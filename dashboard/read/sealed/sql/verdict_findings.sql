-- The latest sealed decisions of which something else than ok is said, among those that arrived in (from, to].
-- Returns: verdict, producer, epoch String, first_seq, last_seq Int64, trace_id, kid, reason String, received_ns
--   UInt64; the latest first; at most `limit` rows. A decision without a seal is among them where it needs one.
SELECT
    toString(verdict) AS verdict,
    producer,
    epoch,
    seq AS first_seq,
    seq + toInt64(count) - 1 AS last_seq,
    trace_id,
    toString(kid) AS kid,
    toString(reason) AS reason,
    received_ns
FROM provenance_events FINAL
WHERE received_ns > {from_ns:UInt64}
    AND received_ns <= {to_ns:UInt64}
    AND verdict NOT IN ('ok', 'reordered', 'retried')
    AND (verdict != 'unsigned' OR {required:UInt8} = 1)
ORDER BY received_ns DESC, producer, epoch, seq
LIMIT {limit:UInt32}
