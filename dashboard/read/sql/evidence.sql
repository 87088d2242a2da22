-- How well a window is backed by packets, and how far clocks had to be moved.
-- Returns: packets, linked_decisions, shifted_spans, spans UInt64; shift_max_ns Int64; one row.
SELECT
    (
        SELECT count() FROM packets
        WHERE ts_ns >= {from_ns:UInt64} AND ts_ns < {to_ns:UInt64}
    ) AS packets,
    (
        SELECT uniqExact(decision_id) FROM span_flows
        WHERE from_ns >= {from_ns:UInt64} AND from_ns < {to_ns:UInt64}
    ) AS linked_decisions,
    countIf(shift_ns != 0) AS shifted_spans,
    count() AS spans,
    max(abs(shift_ns)) AS shift_max_ns
FROM path_spans
WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
