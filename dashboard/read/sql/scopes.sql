-- Which actions and regions had decisions since one instant.
-- Returns: actions Array(String), regions Array(String), both sorted; one row.
SELECT
    arraySort(arrayMap(of -> toString(of), groupUniqArray(action))) AS actions,
    arraySort(arrayMap(of -> toString(of), groupUniqArray(region))) AS regions
FROM revenue_cells
WHERE second_ns >= {from_ns:UInt64} AND second_ns < {to_ns:UInt64}
