-- When the first of the decisions that are kept began; what earlier ones sold is of none that is known.
-- Returns: first_ns Int64; one row, none without decisions.
SELECT toInt64(ingress_ns) AS first_ns FROM decisions ORDER BY ingress_ns LIMIT 1
