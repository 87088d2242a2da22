-- Why: every span of a decision as assembled, a row a span: where it hangs, its self time on the critical path, stage and
-- class, with words for the codes of path_columns
-- Sorted: as path_columns, whose rows it takes apart
-- Read by: dashboard, attribution. Holds the highest revision of a decision only; it needs no FINAL
-- Blocking: no, a view without rows of its own.
CREATE VIEW IF NOT EXISTS path_spans ${on_cluster} AS
SELECT
    p.ingress_ns AS ingress_ns,
    p.decision_id AS decision_id,
    p.revision AS revision,
    if(empty(p.span_trace), p.trace_id, p.span_trace[place]) AS trace_id,
    leftPad(lower(hex(id)), 16, '0') AS span_id,
    if(place = 1, '', leftPad(lower(hex(p.span_id[above + 1])), 16, '0')) AS parent_span_id,
    service AS service_name,
    name AS span_name,
    ['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'][bitAnd(mark, 7) + 1] AS span_kind,
    toUInt64(p.base_ns + if(empty(p.long_ns), p.offset_ns[place], p.long_ns[place]) - shift) AS start_ns,
    if(empty(p.long_ns), toUInt64(p.duration_ns[place]), p.long_ns[length(p.parent) + place]) AS duration_ns,
    shift AS shift_ns,
    if(bound < 0, NULL, toUInt64(bound)) AS clock_bound_ns,
    bitAnd(bitShiftRight(mark, 5), 1) AS on_path,
    own AS self_ns,
    ['ingress', 'transform', 'decision', 'egress'][bitAnd(bitShiftRight(mark, 3), 3) + 1] AS stage,
    ['network', 'compute', 'store', 'untraced'][bitAnd(trait, 3) + 1] AS class,
    arrayMap(s -> (toUInt64(p.base_ns + s.1), toUInt64(p.base_ns + s.2)), of_path) AS sections
FROM path_columns AS p FINAL
ARRAY JOIN
    arrayEnumerate(p.parent) AS place,
    p.span_id AS id,
    p.parent AS above,
    p.service_name AS service,
    p.span_name AS name,
    p.traits AS trait,
    p.marks AS mark,
    p.shift_ns AS shift,
    p.clock_bound_ns AS bound,
    p.self_ns AS own,
    p.sections AS of_path
