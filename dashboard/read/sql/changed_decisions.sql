-- Rows of `decisions` that are not what decisions_mv makes of their spans, for roots that began in [from, to).
-- `events` is the view's own statement over these spans; a row and its span may be in either alone.
-- Returns: kind String (changed, inserted, deleted, withdrawn), trace_id, span_id, id String, columns Array(String) (those that
--   differ; of one that was taken out of the sums what was said of it), stored_ns UInt64 (when the span, or else the row,
--   arrived), happened_ns UInt64 (when it ended, or the row says it began); at most `limit` rows, by trace and span.
WITH
events AS
(
    SELECT trace_id, root_span_id, ingress_ns, decision_id, received_ns, end_ns, startsWith(action, 'auto ') AS is_auto,
        ${texts} AS texts
    FROM (${events})
),
stored AS
(
    SELECT trace_id, root_span_id, ingress_ns, decision_id, received_ns, start_ns, ${texts} AS texts
    FROM decisions
    WHERE
    (
        (start_ns >= {from_ns:UInt64} AND start_ns < {to_ns:UInt64})
        OR
        (
            -- What began in no window that is ever compared would hide here, and be summed by its ingress.
            ingress_ns >= {from_ns:UInt64}
            AND ingress_ns < {to_ns:UInt64}
            AND (start_ns < {kept_ns:UInt64} OR start_ns >= {ahead_ns:UInt64})
            AND (trace_id, root_span_id, start_ns) NOT IN
            (
                SELECT TraceId, SpanId, toUInt64(toUnixTimestamp64Nano(Timestamp))
                FROM otel_traces
                WHERE TraceId IN
                (
                    SELECT d.trace_id
                    FROM decisions AS d
                    WHERE d.ingress_ns >= {from_ns:UInt64}
                        AND d.ingress_ns < {to_ns:UInt64}
                        AND (d.start_ns < {kept_ns:UInt64} OR d.start_ns >= {ahead_ns:UInt64})
                )
            )
        )
    )
    -- What says that it came long after now did not.
    AND (received_ns <= {until_ns:UInt64} OR received_ns > {ahead_ns:UInt64})
)
SELECT
    if(e.trace_id = '', 'inserted', 'changed') AS kind,
    s.trace_id AS trace_id,
    s.root_span_id AS span_id,
    s.decision_id AS id,
    if(kind = 'changed', arrayFilter((name, ours, theirs) -> ours != theirs, ${names}, s.texts, e.texts), []) AS columns,
    multiIf(
        kind = 'changed', e.received_ns,
        (s.trace_id, s.root_span_id) IN (SELECT TraceId, SpanId FROM otel_traces WHERE ${window}), s.received_ns,
        18446744073709551615
    ) AS stored_ns,
    if(kind = 'changed', e.end_ns, s.start_ns) AS happened_ns
FROM
(
    SELECT * FROM stored
    WHERE (trace_id, root_span_id, SHA256(arrayStringConcat(texts, '\0'))) NOT IN
    (
        SELECT trace_id, root_span_id, SHA256(arrayStringConcat(texts, '\0')) FROM events
    )
) AS s
LEFT JOIN
(
    SELECT trace_id, root_span_id, argMin(each.texts, each.received_ns) AS texts, min(each.received_ns) AS received_ns,
        max(each.end_ns) AS end_ns
    FROM events AS each
    GROUP BY trace_id, root_span_id
) AS e ON s.trace_id = e.trace_id AND s.root_span_id = e.root_span_id
UNION ALL
SELECT
    if(w.verdict = '', 'deleted', 'withdrawn') AS kind,
    e.trace_id AS trace_id,
    e.root_span_id AS span_id,
    e.decision_id AS id,
    if(kind = 'deleted', [], [toString(w.verdict)]) AS columns,
    e.received_ns AS stored_ns,
    e.end_ns AS happened_ns
FROM
(
    SELECT trace_id, root_span_id, decision_id, received_ns, end_ns
    FROM events
    WHERE received_ns <= {until_ns:UInt64}
        -- Of the roots that nobody declared those alone are decisions that came before one was.
        AND NOT is_auto
        AND (trace_id, root_span_id) NOT IN (SELECT trace_id, root_span_id FROM stored)
        AND (ingress_ns, decision_id) NOT IN
        (
            SELECT d.ingress_ns, d.decision_id
            FROM decisions AS d
            WHERE (d.ingress_ns, d.decision_id) IN (SELECT ingress_ns, decision_id FROM events)
        )
) AS e
LEFT JOIN
(
    SELECT trace_id, root_span_id, received_ns, verdict
    FROM withdrawals FINAL
    WHERE is_back = 0
        -- What has no seal was out of the sums where the settings asked for one, or beside a genuine copy.
        AND
        (
            verdict != 'unsigned'
            OR {unsigned_out:UInt8}
            OR (trace_id, root_span_id, received_ns) IN
            (
                SELECT o.trace_id, o.root_span_id, o.received_ns
                FROM events AS o
                WHERE o.decision_id IN
                (
                    SELECT d.decision_id
                    FROM decisions AS d
                    WHERE d.decision_id IN
                    (
                        SELECT w.decision_id FROM withdrawals AS w FINAL WHERE w.is_back = 0 AND w.verdict = 'unsigned'
                    )
                )
            )
        )
) AS w ON e.trace_id = w.trace_id AND e.root_span_id = w.root_span_id AND e.received_ns = w.received_ns
ORDER BY kind = 'withdrawn', trace_id, span_id
LIMIT {limit:UInt32}
