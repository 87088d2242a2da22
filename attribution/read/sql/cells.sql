-- The cells of a range of seconds as they are stored.
-- Returns: every column of revenue_cells but revision, counts as Int64; by second, action, region.
SELECT
    toInt64(c.second_ns) AS second_ns, toString(action) AS action, toString(region) AS region,
    toInt64(decisions) AS decisions, toInt64(late) AS late, toInt64(failed) AS failed,
    toInt64(unvalued) AS unvalued,
    value_usd, earned_usd, toString(basis) AS basis, loss_usd, loss_low_usd, loss_high_usd, loss_squared,
    toString(slope_source) AS slope_source,
    lost_share, lost_share_low, lost_share_high, lost_share_squared,
    toInt64(stated) AS stated, stated_usd, stated_loss_usd, stated_loss_low_usd,
    stated_loss_high_usd, stated_loss_squared,
    toInt64(known) AS known, toInt64(kept_ppb) AS kept_ppb, toInt64(converted) AS converted,
    toInt64(margins) AS margins, margin_usd, toInt64(revenues) AS revenues, revenue_usd
FROM revenue_cells AS c FINAL
WHERE c.second_ns >= {from_ns:UInt64} AND c.second_ns < {to_ns:UInt64}
ORDER BY second_ns, action, region
