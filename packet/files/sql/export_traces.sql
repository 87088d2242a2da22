-- Traces that a name stands for: a trace, a decision, an alert's episode or one request of it, or a
-- trigger of `capture_triggers`.
-- Returns: trace_id String; in order, at most traces_max.
SELECT DISTINCT trace_id
FROM
(
    SELECT trace_id FROM span_flows WHERE trace_id = {name:String} OR decision_id = {name:String}
    UNION ALL
    SELECT decided.trace_id AS trace_id
    FROM decisions AS decided FINAL
    INNER JOIN
    (
        SELECT from_ns, to_ns, toString(action) AS action, toString(region) AS region
        FROM capture_requests FINAL
        WHERE trigger_id = {name:String} OR startsWith(trigger_id, concat({name:String}, '/'))
    ) AS request ON 1 = 1
    WHERE decided.ingress_ns >= request.from_ns AND decided.ingress_ns <= request.to_ns
        AND (request.action = '' OR decided.action = request.action)
        AND (request.region = '' OR decided.region = request.region)
    UNION ALL
    SELECT arrayJoin(trace_ids) AS trace_id
    FROM capture_triggers FINAL
    WHERE trigger_id = {name:String}
)
ORDER BY trace_id
LIMIT {traces_max:UInt32}
