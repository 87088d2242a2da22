-- What the decisions of one range may be filtered by.
-- Returns: channels, cohorts, services Array(String), sorted, at most 100 each; one row.
SELECT
    arraySort(arrayMap(of -> toString(of), groupUniqArray(100)(channel))) AS channels,
    arraySort(arrayMap(of -> toString(of), groupUniqArray(100)(cohort))) AS cohorts,
    arraySort(arrayMap(of -> toString(of), groupUniqArray(100)(service_name))) AS services
FROM decisions
WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
