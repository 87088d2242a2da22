-- When the newest decision began that is attributed. Parts know it of themselves: no row is read.
-- Returns: one row: newest_ns UInt64, 0 where there is none.
SELECT max(ingress_ns) AS newest_ns FROM attributions
