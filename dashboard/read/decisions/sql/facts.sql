-- What the roots of the decisions of one page say beside what is attributed.
-- Returns: ingress_ns UInt64, decision_id, service_name String, packets UInt8 (1 where packets are linked).
SELECT
    ingress_ns, decision_id, toString(service_name) AS service_name,
    decision_id IN
    (
        SELECT decision_id FROM span_flows
        WHERE decision_id IN {ids:Array(String)} AND from_ns >= {from_ns:UInt64}
            AND from_ns < {to_ns:UInt64} + 60000000000
    ) AS packets
FROM decisions FINAL
WHERE ingress_ns IN {instants_ns:Array(UInt64)} AND decision_id IN {ids:Array(String)}
