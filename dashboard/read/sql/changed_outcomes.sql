-- Rows of `outcomes` that are not what outcomes_mv makes of their log records, for records of [from, to).
-- `events` is the view's own statement over these records. What was imported from a file has no record here.
-- Returns: kind String (changed, inserted, deleted, withdrawn), trace_id (empty), span_id (of one that was taken out of
--   the sums outcome: and its subject, else empty), id String, columns Array(String) (those that differ; of one that was
--   taken out what was said of it), stored_ns UInt64 (when the record, or else the row, arrived), happened_ns UInt64; at
--   most `limit` rows, by id.
WITH
events AS
(
    SELECT outcome_id, event_ns, received_ns, ${texts} AS texts
    FROM (${events})
),
stored AS
(
    SELECT outcome_id, event_ns, received_ns, ${texts} AS texts
    FROM outcomes
    WHERE source = 'otlp'
        AND event_ns >= {from_ns:UInt64}
        AND event_ns < {to_ns:UInt64}
        -- What says that it came long after now did not.
        AND (received_ns <= {until_ns:UInt64} OR received_ns > {ahead_ns:UInt64})
)
SELECT
    if(e.outcome_id = '', 'inserted', 'changed') AS kind,
    '' AS trace_id,
    '' AS span_id,
    s.outcome_id AS id,
    if(kind = 'changed', arrayFilter((name, ours, theirs) -> ours != theirs, ${names}, s.texts, e.texts), []) AS columns,
    multiIf(
        kind = 'changed', e.received_ns,
        s.event_ns IN (SELECT toUInt64(toUnixTimestamp64Nano(Timestamp)) FROM otel_logs WHERE ${window}), s.received_ns,
        18446744073709551615
    ) AS stored_ns,
    s.event_ns AS happened_ns
FROM
(
    SELECT * FROM stored
    WHERE (outcome_id, SHA256(arrayStringConcat(texts, '\0'))) NOT IN
    (
        SELECT outcome_id, SHA256(arrayStringConcat(texts, '\0')) FROM events
    )
) AS s
LEFT JOIN
(
    SELECT outcome_id, event_ns, argMin(each.texts, each.received_ns) AS texts, min(each.received_ns) AS received_ns
    FROM events AS each
    GROUP BY outcome_id, event_ns
) AS e ON s.outcome_id = e.outcome_id AND s.event_ns = e.event_ns
UNION ALL
SELECT
    if(w.word = '', 'deleted', 'withdrawn') AS kind,
    '' AS trace_id,
    if(kind = 'deleted', '', concat('outcome:', w.whose)) AS span_id,
    e.outcome_id AS id,
    if(kind = 'deleted', [], [w.word]) AS columns,
    e.received_ns AS stored_ns,
    e.event_ns AS happened_ns
FROM
(
    SELECT outcome_id, event_ns, received_ns
    FROM events
    WHERE received_ns <= {until_ns:UInt64}
        AND (outcome_id, event_ns) NOT IN (SELECT outcome_id, event_ns FROM stored)
        AND outcome_id NOT IN
        (
            SELECT o.outcome_id
            FROM outcomes AS o
            INNER JOIN (SELECT outcome_id, max(event_ns) AS newest_ns FROM events GROUP BY outcome_id) AS n
                ON o.outcome_id = n.outcome_id
            WHERE o.event_ns > n.newest_ns AND o.outcome_id IN (SELECT outcome_id FROM events)
        )
) AS e
LEFT JOIN
(
    -- The subject is that of its own record: nobody excuses one outcome by the verdict on another.
    SELECT outcome_id, event_ns, received_ns, max(w.subject) AS whose, max(toString(w.verdict)) AS word
    FROM withdrawn_outcomes AS w FINAL
    WHERE is_back = 0
        -- What has no seal was never out of the sums unless the settings asked for one.
        AND (w.subject != '' OR {unsigned_out:UInt8})
        AND (outcome_id, event_ns, received_ns, w.subject) IN
        (
            SELECT
                ${attr:outcome.id:LogAttributes},
                toUInt64(toUnixTimestamp64Nano(Timestamp)),
                received_ns,
                if(LogAttributes['provenance.tag'] = '', '', LogAttributes['provenance.subject'])
            FROM otel_logs
            WHERE ${window}
        )
    GROUP BY outcome_id, event_ns, received_ns
) AS w ON e.outcome_id = w.outcome_id AND e.event_ns = w.event_ns AND e.received_ns = w.received_ns
ORDER BY kind = 'withdrawn', id
LIMIT {limit:UInt32}
