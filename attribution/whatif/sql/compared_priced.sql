-- The decisions of one side of a comparison, or of one in `every`, as priced.sql takes them.
-- Parameters: those of compared_held.sql; every; the reference latencies.
-- Returns: the columns of attributions, class UInt64 and target_ns UInt64.
    SELECT
        *, cityHash64(action) * 3 + cityHash64(region) AS class,
        transform(toString(action), {reference_actions:Array(String)}, {reference_ns:Array(UInt64)},
            {default_reference_ns:UInt64}) AS target_ns
    FROM
    (
${held}
    )
    WHERE ({every:UInt64} = 1 OR cityHash64(decision_id) % {every:UInt64} = 0)
