-- When the newest decision began by now that is attributed: a sender whose clock is ahead hides no silence.
-- Returns: one row: newest_ns UInt64, 0 where there is none. The last rows of each part are read.
SELECT max(ingress_ns) AS newest_ns
FROM (SELECT ingress_ns FROM attributions WHERE ingress_ns <= {now_ns:UInt64} ORDER BY ingress_ns DESC LIMIT 1)
