-- How long before their arrival spans ended, by the service and machine that stamped them: all but one in twenty by more.
-- Returns: service String, host String, behind_ns Int64 (negative: that much after their arrival); the furthest first, at
-- most 10 of those that are off.
SELECT
    toString(service_name) AS service,
    toString(s.host) AS host,
    toInt64(quantileTDigest(0.05)(toInt64(received_ns) - end_ns)) AS behind_ns
FROM otel_span_skeletons AS s
WHERE received_ns > {after_ns:UInt64}
GROUP BY service_name, s.host
HAVING count() >= {spans_min:UInt32}
    AND (behind_ns <= -{ahead_ns:Int64}
        OR (
            behind_ns >= {behind_ns:Int64}
            AND max(received_ns) - min(received_ns) >= {lasting_ns:UInt64}
            AND quantileTDigest(0.95)(toInt64(received_ns) - end_ns) - behind_ns <= {lasting_ns:UInt64}
            AND uniqExact(intDiv(received_ns, {apart_ns:UInt64})) >= {times_min:UInt32}
        ))
ORDER BY abs(behind_ns) DESC, service, host
LIMIT 10
