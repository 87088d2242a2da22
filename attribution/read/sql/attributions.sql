-- What was written for decisions before, to tell whether late spans change it.
-- Returns: every column of attributions but computed_ns; unordered.
SELECT
    toInt64(a.ingress_ns) AS ingress_ns, decision_id, revision, trace_id,
    toString(action) AS action, toString(region) AS region,
    toString(channel) AS channel, toString(cohort) AS cohort, toInt64(total_ns) AS total_ns,
    ingress_network_ns, ingress_compute_ns, ingress_store_ns, ingress_untraced_ns,
    transform_network_ns, transform_compute_ns, transform_store_ns, transform_untraced_ns,
    decision_network_ns, decision_compute_ns, decision_store_ns, decision_untraced_ns,
    egress_network_ns, egress_compute_ns, egress_store_ns, egress_untraced_ns,
    span_count, flags, is_error
FROM attributions AS a FINAL
WHERE a.ingress_ns IN {ingress_ns:Array(UInt64)} AND decision_id IN (SELECT arrayJoin({decision_ids:Array(String)}))
