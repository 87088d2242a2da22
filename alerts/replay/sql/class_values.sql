-- What the decisions of every class were worth in [from_ns, to_ns), had none failed or been late.
-- Returns: action, region String, value_usd Decimal(38, 6); a row a class with a decision of known value.
SELECT toString(cell.action) AS action, toString(cell.region) AS region, sum(cell.value_usd) AS value_usd
FROM revenue_cells AS cell FINAL
WHERE cell.second_ns >= {from_ns:UInt64} AND cell.second_ns < {to_ns:UInt64} AND cell.decisions > cell.unvalued
GROUP BY cell.action, cell.region
