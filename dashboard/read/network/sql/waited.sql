-- What decisions of a range waited for in the network and in stores, as packets or the kernel show it.
-- Returns: one row a class and method: class, method String; decisions, spans, outside_spans UInt64; and sums of the
--   columns of path_evidence, in ns. None where nothing is known.
SELECT
    toString(class) AS latency_class,
    toString(method) AS method,
    uniqExact(decision_id) AS decisions,
    count() AS spans,
    countIf(finding = 'outside_span') AS outside_spans,
    sum(self_ns) AS self_ns,
    sum(rtt_ns) AS rtt_ns,
    sum(handshake_ns) AS handshake_ns,
    sum(transfer_ns) AS transfer_ns,
    sum(retransmission_ns) AS retransmission_ns,
    sum(zero_window_ns) AS zero_window_ns,
    sum(host_queue_ns) AS host_queue_ns,
    sum(think_ns) AS think_ns,
    sum(unexplained_ns) AS unexplained_ns
FROM path_evidence FINAL
WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
    AND (({action:String} = '' AND {region:String} = '') OR decision_id IN
    (
        SELECT decision_id FROM attributions
        WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
            AND ({action:String} != '' OR {region:String} != '')
            AND ({action:String} = '' OR action = {action:String})
            AND ({region:String} = '' OR region = {region:String})
            -- Few decisions have evidence; of the others nothing is read.
            AND ingress_ns IN
            (
                SELECT ingress_ns FROM path_evidence
                WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
            )
    ))
GROUP BY latency_class, method
ORDER BY self_ns DESC, latency_class, method
