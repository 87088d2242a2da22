-- What spans and log records of a range of time that were received before an instant say, from sums by hour.
-- Parameters: partial, hours that lie in the range in part and are not in the answer.
-- Returns: kind, service, name, variant, detail String; variants Array(String), at most ten; count UInt64; first_ns,
--   last_ns Int64; unordered.
SELECT
    kind, service, name, variant, detail,
    groupUniqArrayArray(10)(o.variants) AS variants,
    sum(o.count) AS count,
    min(o.first_ns) AS first_ns,
    max(o.last_ns) AS last_ns
FROM observed_hours AS o FINAL
WHERE hour_ns + 3600000000000 > {from_ns:UInt64} AND hour_ns < {to_ns:UInt64} AND hour_ns NOT IN {partial:Array(UInt64)}
    AND slot_ns < {cursor_ns:UInt64}
GROUP BY kind, service, name, variant, detail
