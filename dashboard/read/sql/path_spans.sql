-- The spans of one decision as assembled, at its latest revision, or one of them.
-- Parameters: span_id '' takes every span.
-- Returns: the columns below; by start after the shift, then the longest first.
SELECT
    trace_id, span_id, parent_span_id, toString(service_name) AS service_name,
    toString(span_name) AS span_name, span_kind,
    start_ns, duration_ns, shift_ns, clock_bound_ns, on_path, self_ns,
    stage, class, sections
FROM path_spans
WHERE ingress_ns = {ingress_ns:UInt64} AND decision_id = {decision_id:String}
    AND ({span_id:String} = '' OR span_id = {span_id:String})
ORDER BY toInt64(start_ns) + shift_ns, duration_ns DESC, span_id
LIMIT {rows_max:UInt64}
