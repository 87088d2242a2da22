-- Spans of network and store time on the critical path whose packets are known, of decisions whose packets or
-- whose attribution came after an instant.
-- Returns: ingress_ns UInt64, decision_id, span_id, stage, class String, shift_ns Int64, clock_bound_ns
--   Nullable(UInt64), self_ns UInt64, sections Array(Tuple(UInt64, UInt64)), revision UInt32, and of
--   wire_times: start_ns, exchanges, rtt_ns, outside_ns, kinds, ends_ns; unordered.
-- A span that a later revision gave to another decision keeps its row of the earlier one, which is left out.
WITH touched AS
(
    SELECT DISTINCT trace_id, span_id
    FROM wire_times
    WHERE (linked_ns > {after_ns:UInt64} AND linked_ns <= {until_ns:UInt64})
        OR decision_id IN
        (
            SELECT decision_id
            FROM attributions
            -- A day: the reach of a late span, and all that has to be looked through.
            WHERE ingress_ns + 86400000000000 >= {after_ns:UInt64} AND revision > 1
                AND computed_ns > {after_ns:UInt64} AND computed_ns <= {until_ns:UInt64}
        )
)
SELECT
    p.ingress_ns AS ingress_ns, p.decision_id AS decision_id, p.span_id AS span_id,
    toString(p.stage) AS stage, toString(p.class) AS class, p.shift_ns AS shift_ns,
    p.clock_bound_ns AS clock_bound_ns, p.self_ns AS self_ns, p.sections AS sections,
    p.revision AS revision, w.start_ns AS start_ns, w.exchanges AS exchanges, w.rtt_ns AS rtt_ns,
    w.outside_ns AS outside_ns, arrayMap(k -> toString(k), w.kinds) AS kinds, w.ends_ns AS ends_ns
FROM
(
    SELECT trace_id, span_id, start_ns, exchanges, rtt_ns, outside_ns, kinds, ends_ns
    FROM wire_times FINAL
    WHERE (trace_id, span_id) IN touched
) AS w
INNER JOIN
(
    SELECT
        ingress_ns, decision_id, trace_id, span_id, stage, class, shift_ns, clock_bound_ns, self_ns,
        sections, revision
    FROM path_spans FINAL
    WHERE on_path AND class IN ('network', 'store')
        AND ingress_ns >= (SELECT min(start_ns) FROM wire_times WHERE (trace_id, span_id) IN touched)
            - {reach_ns:UInt64}
        AND ingress_ns <= (SELECT max(end_ns) FROM wire_times WHERE (trace_id, span_id) IN touched)
        AND (ingress_ns, decision_id, revision) IN
        (
            SELECT ingress_ns, decision_id, max(revision)
            FROM path_spans
            WHERE ingress_ns >= (SELECT min(start_ns) FROM wire_times WHERE (trace_id, span_id) IN touched)
                    - {reach_ns:UInt64}
                AND ingress_ns <= (SELECT max(end_ns) FROM wire_times WHERE (trace_id, span_id) IN touched)
            GROUP BY ingress_ns, decision_id
        )
) AS p ON p.trace_id = w.trace_id AND p.span_id = w.span_id
