-- Every packet of a range as recorders saw it, before any was let go; and what was kept of the bytes.
-- Returns: one row; all 0 where nothing was recorded.
SELECT
    count() AS seconds,
    uniqExact(host) AS hosts,
    sum(packets) AS packets,
    sum(wire_bytes) AS wire_bytes,
    sum(retransmissions) AS retransmissions,
    sum(zero_windows) AS zero_windows,
    sum(bursts) + sum(bursts_refused) AS bursts,
    countIf(queue_bytes IS NOT NULL) AS judged_seconds,
    (
        SELECT sum(seen_bytes) FROM packet_budget FINAL
        WHERE at_ns >= {from_ns:UInt64} AND at_ns < {to_ns:UInt64}
    ) AS seen_bytes,
    (
        SELECT sum(sampled_bytes + pulled_bytes + dumped_bytes) FROM packet_budget FINAL
        WHERE at_ns >= {from_ns:UInt64} AND at_ns < {to_ns:UInt64}
    ) AS kept_bytes,
    (
        SELECT sum(refused_bytes) FROM packet_budget FINAL
        WHERE at_ns >= {from_ns:UInt64} AND at_ns < {to_ns:UInt64}
    ) AS refused_bytes
FROM wire_seconds FINAL
WHERE second_ns >= {from_ns:UInt64} AND second_ns < {to_ns:UInt64}
