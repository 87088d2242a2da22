-- How well a window is backed by packets, and how far clocks had to be moved. Without FINAL: a decision that was
-- attributed twice counts twice until its rows are merged.
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
    sum(arrayCount(ns -> ns != 0, shift_ns)) AS shifted_spans,
    sum(length(shift_ns)) AS spans,
    max(arrayMax(arrayMap(ns -> abs(ns), shift_ns))) AS shift_max_ns
FROM path_columns
WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
