-- The outcomes that some names of sealed events are of; with a key those of its events that are not as they were sealed,
-- and of those that are, and were taken out of the sums.
-- Returns: outcome_id String, each once.
SELECT DISTINCT ${attr:outcome.id:LogAttributes} AS outcome_id
FROM otel_logs
WHERE (EventName = 'decision.outcome' OR LogAttributes['event.name'] = 'decision.outcome')
    AND
    (
        ({kid:String} = '' AND ${outcome_name} IN {names:Array(String)})
        OR
        (
            {kid:String} != ''
            AND (${outcome_name}, received_ns) IN
            (
                SELECT span_id, p.received_ns
                FROM provenance_events AS p FINAL
                WHERE kid = {kid:String}
                    AND startsWith(span_id, 'outcome:')
                    AND
                    (
                        verdict = 'tampered'
                        OR
                        (
                            verdict IN ('ok', 'reordered')
                            AND (substring(span_id, 9), p.received_ns) IN
                            (
                                SELECT subject, w.received_ns FROM withdrawn_outcomes AS w FINAL WHERE is_back = 0
                            )
                        )
                    )
            )
        )
    )
