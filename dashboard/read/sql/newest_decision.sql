-- When the newest decision began that is attributed: by now, as a sender whose clock is ahead hides no silence; and at all.
-- Returns: one row: seen_ns, newest_ns UInt64, 0 where there is none. Parts know the second of themselves, of the first
-- the last rows of each are read.
SELECT
    (
        SELECT max(ingress_ns)
        FROM (SELECT ingress_ns FROM attributions WHERE ingress_ns <= {now_ns:UInt64} ORDER BY ingress_ns DESC LIMIT 1)
    ) AS seen_ns,
    (SELECT max(ingress_ns) FROM attributions) AS newest_ns
