-- Which experiments delayed decisions of a class, and how many of how many.
-- Returns: experiment, owner String ('' of one that is not registered), delayed, decisions UInt64, delay_ns_max UInt64; the
-- most first; none that delayed nothing.
SELECT f.experiment AS experiment, e.owner AS owner, f.delayed AS delayed, f.decisions AS decisions, f.delay_ns_max AS delay_ns_max
FROM
(
    SELECT
        toString(experiment) AS experiment, countIf(injected_delay_ns > 0) AS delayed,
        max(injected_delay_ns) AS delay_ns_max, sum(count()) OVER () AS decisions
    FROM decisions FINAL
    WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
        AND ({action:String} = '' OR action = {action:String})
        AND ({region:String} = '' OR region = {region:String})
    GROUP BY experiment
) AS f
LEFT ANY JOIN (SELECT name, owner FROM experiments FINAL) AS e ON e.name = f.experiment
WHERE f.delayed > 0
ORDER BY delayed DESC, experiment
