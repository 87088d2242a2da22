-- The decisions that all others are copies of, numbered.
-- Returns: nothing; fills growth_pool.places.
INSERT INTO growth_pool.places (trace_id, ingress_ns, place)
SELECT trace_id, ingress_ns, row_number() OVER (ORDER BY ingress_ns, decision_id) - 1 AS place
FROM growth_pool.decisions FINAL
