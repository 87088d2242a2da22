-- Which services take part in decisions of which classes in [from_ns, to_ns), by twenty decisions of each class.
-- Returns: service, action, region String; a row a service and class.
WITH some AS
(
    SELECT decision_id, toString(action) AS of_action, toString(region) AS of_region
    FROM attributions FINAL
    WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
    ORDER BY cityHash64(decision_id), decision_id
    LIMIT 20 BY of_action, of_region
)
SELECT DISTINCT toString(path_spans.service_name) AS service, some.of_action AS action, some.of_region AS region
FROM path_spans
INNER JOIN some ON path_spans.decision_id = some.decision_id
WHERE path_spans.ingress_ns >= {from_ns:UInt64} AND path_spans.ingress_ns < {to_ns:UInt64}
    AND path_spans.decision_id IN (SELECT decision_id FROM some)
ORDER BY service, action, region
