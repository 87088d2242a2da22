-- Events that are named nearly as an outcome is, of some log records that came since an instant.
-- Parameters: items_max, of how many at most.
-- Returns: service, event String, records UInt64, example String (id of a trace, '' for none); the most first, at most 50.
SELECT
    toString(service) AS service,
    event,
    count() AS records,
    max(trace_id) AS example
FROM
(
    SELECT
        ServiceName AS service,
        TraceId AS trace_id,
        if(EventName != '', EventName, LogAttributes['event.name']) AS event
    FROM otel_logs
    WHERE received_ns > {after_ns:UInt64}
    LIMIT {items_max:UInt64}
)
WHERE startsWith(lower(event), 'decision') AND event != 'decision.outcome'
GROUP BY service, event
ORDER BY records DESC, service, event
LIMIT 50
