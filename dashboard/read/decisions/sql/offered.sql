-- What the decisions of one range may be filtered by, and whether some of them are worth what they state.
-- Returns: channels, cohorts, services Array(String), sorted, at most 100 each; stated UInt8; one row.
SELECT
    arraySort(arrayMap(of -> toString(of), groupUniqArray(100)(channel))) AS channels,
    arraySort(arrayMap(of -> toString(of), groupUniqArray(100)(cohort))) AS cohorts,
    arraySort(arrayMap(of -> toString(of), groupUniqArray(100)(service_name))) AS services,
    (
        SELECT count() > 0 FROM revenue_cells
        WHERE second_ns >= intDiv({from_ns:UInt64}, 1000000000) * 1000000000 AND second_ns < {to_ns:UInt64}
            AND basis = 'expected'
    ) AS stated
FROM decisions
WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
