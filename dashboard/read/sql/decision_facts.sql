-- One decision as its root span told it.
-- Returns: the columns below; the newest decision of that id; no rows when there is none.
SELECT
    decision_id, trace_id, root_span_id, toString(service_name) AS service_name,
    ingress_ns, start_ns, end_ns, transform_ns, decision_ns, egress_ns,
    toString(action) AS action, toString(channel) AS channel, toString(region) AS region,
    toString(cohort) AS cohort, toString(offer_type) AS offer_type,
    toString(campaign) AS campaign, toString(route) AS route, toString(vendor) AS vendor,
    toString(mode) AS mode, toString(experiment) AS experiment, toString(arm) AS arm,
    injected_delay_ns, value_usd, outcome_key, is_error
FROM decisions FINAL
WHERE decision_id = {decision_id:String}
ORDER BY ingress_ns DESC
LIMIT 1
