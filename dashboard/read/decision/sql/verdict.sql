-- What is said of the sealed events of one trace that arrived since an instant.
-- Returns: verdict, reason, kid, producer, epoch String, seq Int64, span_id String; in the order of the chain.
SELECT
    toString(verdict) AS verdict, toString(reason) AS reason, toString(kid) AS kid, producer, epoch, seq, span_id
FROM provenance_events FINAL
WHERE trace_id = {trace_id:String} AND received_ns >= {from_ns:UInt64}
ORDER BY producer, epoch, seq
LIMIT {rows_max:UInt64}
