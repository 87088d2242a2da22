-- Sales by key that are written in whole days or minutes, where decisions of that key in several arms began within that
-- time: the last of them is counted, and nobody knows which one sold. ${is_drawn} is is_drawn.sql. Whoever is drawn is drawn
-- anew each minute, so that a time in seconds leaves nothing open.
-- Returns: unsure UInt64; one row.
SELECT count() AS unsure
FROM
(
    SELECT s.outcome_id
    FROM
    (
        SELECT
            outcome_id, outcome_key, event_ns,
            least(event_ns + if(event_ns % 86400000000000 = 0, 86400000000000, 60000000000), received_ns + 3600000000000) AS end_ns
        FROM outcomes FINAL
        WHERE event_ns >= {from_ns:UInt64} - 86400000000000 AND event_ns < {to_ns:UInt64} AND event_ns % 60000000000 = 0
            AND is_sale AND kind != 'refund' AND decision_id = '' AND outcome_key != ''
    ) AS s
    INNER JOIN
    (
        SELECT
            ingress_ns, outcome_key, experiment, arm, unit, injected_delay_ns,
            if(is_drawn AND ({experiment:String} = '' OR experiment = {experiment:String}), injected_delay_ns, 0) AS delay_ns,
${is_drawn}
        FROM decisions FINAL
        WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64} AND outcome_key != ''
            AND action NOT IN {left_out:Array(String)}
    ) AS d ON s.outcome_key = d.outcome_key
    WHERE d.ingress_ns >= s.event_ns AND d.ingress_ns < s.end_ns
    GROUP BY s.outcome_id
    HAVING max(d.delay_ns) > min(d.delay_ns)
)
