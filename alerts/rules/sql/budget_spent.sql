-- What one class, or one action in all regions, or all of them (*) lost in the time of its budget, [from_ns, end_ns).
-- Returns: spent_usd Decimal(38, 6); always one row.
SELECT sum(loss_usd) AS spent_usd
FROM revenue_cells FINAL
WHERE second_ns >= {from_ns:UInt64}
    AND second_ns < {end_ns:UInt64}
    AND {action:String} IN ('*', action)
    AND {region:String} IN ('*', region)
