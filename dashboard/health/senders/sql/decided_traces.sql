-- Traces of some decisions that came since an instant, by the service that decided.
-- Parameters: after_ns; items_max, of how many decisions at most; calibration String, the action of what is ours and left out.
-- Returns: service String, trace_ids Array(String), none twice; by service.
SELECT toString(service) AS service, groupUniqArray(trace_id) AS trace_ids
FROM
(
    SELECT service_name AS service, trace_id
    FROM decisions
    WHERE received_ns > {after_ns:UInt64} AND action != {calibration:String} AND length(trace_id) = 32
    LIMIT {items_max:UInt64}
)
GROUP BY service
ORDER BY service
