-- Sales by key that are written in whole days, of keys whose decisions of that day were delayed differently: the last of
-- them is counted, and nobody knows which one sold. ${is_drawn} is is_drawn.sql. Of the decisions one row a key and day is
-- joined, however many there are of one key.
-- Returns: unsure UInt64; one row.
WITH sold AS
(
    SELECT outcome_key AS key, event_ns AS day_ns, count() AS sales
    FROM outcomes FINAL
    WHERE event_ns >= {from_ns:UInt64} - 86400000000000 AND event_ns < {to_ns:UInt64} AND event_ns % 86400000000000 = 0
        AND is_sale AND kind != 'refund' AND decision_id = '' AND outcome_key != ''
    GROUP BY key, day_ns
)
SELECT sum(s.sales) AS unsure
FROM sold AS s
INNER JOIN
(
    SELECT key, day_ns
    FROM
    (
        SELECT
            outcome_key AS key, experiment, arm, unit, ingress_ns, injected_delay_ns,
            intDiv(ingress_ns, 86400000000000) * 86400000000000 AS day_ns,
            if(is_drawn AND ({experiment:String} = '' OR experiment = {experiment:String}), injected_delay_ns, 0) AS delay_ns,
${is_drawn}
        FROM decisions FINAL
        WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64} AND outcome_key != ''
            AND outcome_key IN (SELECT key FROM sold) AND action NOT IN {left_out:Array(String)}
    )
    GROUP BY key, day_ns
    HAVING max(delay_ns) > min(delay_ns)
) AS d ON s.key = d.key AND s.day_ns = d.day_ns
