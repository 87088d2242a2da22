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
    trace AS trace_id,
    leftPad(lower(hex(id)), 16, '0') AS span_id,
    if(place = 1, '', leftPad(lower(hex(above)), 16, '0')) AS parent_span_id,
    service AS service_name,
    name AS span_name,
    ['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'][bitAnd(mark, 7) + 1] AS span_kind,
    toUInt64(p.base_ns + offset - shift) AS start_ns,
    took AS duration_ns,
    shift AS shift_ns,
    if(bound < 0, NULL, toUInt64(bound)) AS clock_bound_ns,
    bitAnd(bitShiftRight(mark, 5), 1) AS on_path,
    own AS self_ns,
    ['ingress', 'transform', 'decision', 'egress'][bitAnd(bitShiftRight(mark, 3), 3) + 1] AS stage,
    ['network', 'compute', 'store', 'untraced'][bitAnd(trait, 3) + 1] AS class,
    arrayMap(s -> (toUInt64(p.base_ns + s.1), toUInt64(p.base_ns + s.2)), of_path) AS sections
FROM path_columns AS p FINAL
-- Every array is joined and none is asked by its index: before ClickHouse 25.10 each span would have a copy of it.
ARRAY JOIN
    arrayEnumerate(p.parent) AS place,
    p.span_id AS id,
    p.parent_id AS above,
    if(empty(p.span_trace), arrayWithConstant(length(p.parent), p.trace_id), p.span_trace) AS trace,
    if(empty(p.long_ns), arrayMap(ns -> toUInt64(ns), p.offset_ns), arraySlice(p.long_ns, 1, length(p.parent))) AS offset,
    if(empty(p.long_ns), arrayMap(ns -> toUInt64(ns), p.duration_ns), arraySlice(p.long_ns, 1 + length(p.parent))) AS took,
    p.service_name AS service,
    p.span_name AS name,
    p.traits AS trait,
    p.marks AS mark,
    p.shift_ns AS shift,
    p.clock_bound_ns AS bound,
    p.self_ns AS own,
    p.sections AS of_path
