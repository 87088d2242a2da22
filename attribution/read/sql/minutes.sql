-- Minutes as they are stored.
-- Returns: minute_ns, revision Int64, action, region, stage, class String, bucket, decisions, sum_ns Int64; unordered.
SELECT
    toInt64(minute_ns) AS minute_ns, toInt64(m.revision) AS revision, toString(action) AS action,
    toString(region) AS region, toString(stage) AS stage, toString(class) AS class,
    toInt64(bucket) AS bucket, toInt64(decisions) AS decisions, toInt64(sum_ns) AS sum_ns
FROM attribution_minutes AS m FINAL
WHERE minute_ns IN {minutes_ns:Array(UInt64)} AND (minute_ns, m.revision) IN
(
    SELECT minute_ns, max(revision)
    FROM attribution_minutes
    WHERE minute_ns IN {minutes_ns:Array(UInt64)}
    GROUP BY minute_ns
)
