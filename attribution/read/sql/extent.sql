-- How many decisions a window has, each revision counted, and when the first and the last of them began.
-- Returns: decisions, first_ns, last_ns UInt64, 0 without any; one row.
SELECT count() AS decisions, min(ingress_ns) AS first_ns, max(ingress_ns) AS last_ns
FROM attributions
WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
