-- The latest outcomes that are not as they were sealed, whose genuine copies may be still to come.
-- Returns: span_id, outcome_id String, each pair once.
SELECT DISTINCT ${outcome_name} AS span_id, ${attr:outcome.id:LogAttributes} AS outcome_id
FROM otel_logs
WHERE (EventName = 'decision.outcome' OR LogAttributes['event.name'] = 'decision.outcome')
    AND (${outcome_name}, received_ns) IN
    (
        SELECT span_id, p.received_ns
        FROM provenance_events AS p FINAL
        WHERE verdict IN ('tampered', 'unsigned') AND startsWith(span_id, 'outcome:')
        ORDER BY p.received_ns DESC
        LIMIT {limit:UInt32}
    )
