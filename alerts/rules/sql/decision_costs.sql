-- What was billed in each currency for the part of [from_ns, end_ns) that bills cover, and the decisions of that part.
-- Bills come late: a part for which no use was billed is in neither. A charge counts by the part of its period inside.
-- Returns: currency String, '' String, decisions UInt64, cost Float64 (amortised), newest_ns UInt64 (the newest
-- second of these decisions); a row a currency.
WITH
    lines AS
    (
        SELECT
            toString(currency) AS currency, charge_category, toFloat64(effective) AS cost, to_ns - from_ns AS period_ns,
            greatest(from_ns, {from_ns:UInt64}) AS begin_ns,
            least(to_ns, {end_ns:UInt64}) AS end_ns
        FROM costs FINAL
        WHERE from_ns < {end_ns:UInt64} AND to_ns > {from_ns:UInt64}
    ),
    -- Periods by their begin, each from where those before it end: they overlap no more.
    covered AS
    (
        SELECT currency, greatest(begin_ns, until_ns) AS begin_ns, greatest(end_ns, until_ns) AS end_ns
        FROM
        (
            SELECT currency, begin_ns, end_ns,
                max(end_ns) OVER (PARTITION BY currency ORDER BY begin_ns, end_ns
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS until_ns
            FROM (SELECT DISTINCT currency, begin_ns, end_ns FROM lines WHERE charge_category IN ('', 'Usage'))
        )
    ),
    times AS
    (
        SELECT currency, groupArray(begin_ns) AS begins_ns, groupArray(end_ns) AS ends_ns FROM covered GROUP BY currency
    )
SELECT c.currency AS currency, '' AS nothing, d.decisions AS decisions, c.cost AS cost, d.newest_ns AS newest_ns
FROM
(
    SELECT l.currency AS currency,
        sum(l.cost * arraySum((begin, end) -> greatest(
            toInt64(least(l.end_ns, end)) - toInt64(greatest(l.begin_ns, begin)), 0),
            t.begins_ns, t.ends_ns) / l.period_ns) AS cost
    FROM lines AS l INNER JOIN times AS t ON l.currency = t.currency
    GROUP BY l.currency
) AS c
INNER JOIN
(
    SELECT t.currency AS currency, toUInt64(sum(s.decisions)) AS decisions, max(s.second_ns) AS newest_ns
    FROM
    (
        SELECT second_ns, sum(cell.decisions) AS decisions
        FROM revenue_cells AS cell FINAL
        WHERE second_ns >= {from_ns:UInt64} AND second_ns < {end_ns:UInt64} AND action != 'calibration'
        GROUP BY second_ns
    ) AS s
    CROSS JOIN times AS t
    WHERE arrayExists((begin, end) -> s.second_ns >= begin AND s.second_ns < end, t.begins_ns, t.ends_ns)
    GROUP BY t.currency
) AS d ON c.currency = d.currency
