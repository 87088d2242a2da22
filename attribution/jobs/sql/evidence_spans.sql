-- Those of some spans that have network or store time on the critical path and whose packets are known.
-- Returns: ingress_ns UInt64, decision_id, span_id, stage, class String, shift_ns Int64, clock_bound_ns
--   Nullable(UInt64), self_ns UInt64, sections Array(Tuple(UInt64, UInt64)), revision UInt32, and of
--   wire_times: start_ns, exchanges, rtt_ns, outside_ns, kinds, ends_ns; unordered.
WITH
(
    SELECT (min(start_ns), max(end_ns)) FROM wire_times
    WHERE (trace_id, span_id) IN arrayZip({trace_ids:Array(String)}, {span_ids:Array(String)})
) AS bounds
SELECT
    p.ingress_ns AS ingress_ns, p.decision_id AS decision_id, p.span_id AS span_id,
    p.stage AS stage, p.class AS class, p.shift_ns AS shift_ns,
    p.clock_bound_ns AS clock_bound_ns, p.self_ns AS self_ns, p.sections AS sections,
    p.revision AS revision, w.start_ns AS start_ns, w.exchanges AS exchanges, w.rtt_ns AS rtt_ns,
    w.outside_ns AS outside_ns, arrayMap(k -> toString(k), w.kinds) AS kinds, w.ends_ns AS ends_ns
FROM
(
    SELECT trace_id, span_id, start_ns, exchanges, rtt_ns, outside_ns, kinds, ends_ns
    FROM wire_times FINAL
    WHERE (trace_id, span_id) IN arrayZip({trace_ids:Array(String)}, {span_ids:Array(String)})
) AS w
INNER JOIN
(
    SELECT
        ingress_ns, decision_id, trace_id, span_id, stage, class, shift_ns, clock_bound_ns, self_ns,
        sections, revision
    FROM path_spans
    WHERE on_path AND class IN ('network', 'store')
        AND ingress_ns >= bounds.1 - {reach_ns:UInt64}
        AND ingress_ns <= bounds.2
) AS p ON p.trace_id = w.trace_id AND p.span_id = w.span_id
