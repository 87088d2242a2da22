-- Which spans and decisions were received in a window, or taken out of the sums, to find the traces that changed. An insert
-- reaches one of the two a moment after the other: who reads in between sees spans of no decision, or the reverse.
-- Returns: trace_id String, row_hash UInt64 (of what was received of it, to tell what was seen before), spans UInt64
-- (0 of a decision or a withdrawal); unordered. A sum of hashes is that of the spans in any order.
SELECT trace_id, cityHash64(trace_id, sum(cityHash64(span_id, received_ns, start_ns, end_ns))) AS row_hash, count() AS spans
FROM otel_span_skeletons
WHERE received_ns > {after_ns:UInt64} AND received_ns <= {until_ns:UInt64}
GROUP BY trace_id
UNION ALL
SELECT trace_id, cityHash64('decision', trace_id, root_span_id, received_ns, ingress_ns), 0
FROM decisions
WHERE received_ns > {after_ns:UInt64} AND received_ns <= {until_ns:UInt64}
UNION ALL
SELECT trace_id, cityHash64('withdrawal', trace_id, root_span_id, received_ns, withdrawn_ns), 0
FROM withdrawals
WHERE withdrawn_ns > {withdrawn_after_ns:UInt64} AND withdrawn_ns <= {until_ns:UInt64}
