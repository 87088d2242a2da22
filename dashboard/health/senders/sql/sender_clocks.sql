-- How long before their arrival spans ended, by the service and machine that stamped them: all but one in twenty by more.
-- Returns: service String, host String, behind_ns Int64 (negative: that much after their arrival); the furthest first, at
-- most 10 of those that are off.
WITH
    toFloat64(received_ns - {after_ns:UInt64}) AS arrived_ns,
    toInt64(received_ns) - end_ns AS age_ns
SELECT
    toString(service_name) AS service,
    toString(s.host) AS host,
    toInt64(quantileTDigest(0.05)(age_ns)) AS behind_ns
FROM otel_span_skeletons AS s
WHERE received_ns > {after_ns:UInt64}
GROUP BY service_name, s.host
HAVING count() >= {spans_min:UInt32}
    AND (behind_ns <= -{ahead_ns:Int64}
        OR (
            behind_ns >= {behind_ns:Int64}
            AND max(received_ns) - min(received_ns) >= {lasting_ns:UInt64}
            AND quantileTDigest(0.95)(age_ns) - behind_ns <= {lasting_ns:UInt64}
            AND uniqExact(intDiv(received_ns, {apart_ns:UInt64})) >= {times_min:UInt32}
            -- A file that is read as slowly as it was written ages, or becomes younger, as it is read.
            AND abs(covarPopStable(arrived_ns, toFloat64(age_ns))) <= {drift_max:Float64} * varPopStable(arrived_ns)
        ))
ORDER BY abs(behind_ns) DESC, service, host
LIMIT 10
