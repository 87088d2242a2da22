-- Every version of the slope.
-- Returns: the columns of slope_models; by version.
SELECT
    version, effective_ns, computed_ns, from_ns, to_ns, toString(source) AS source,
    toString(status) AS status, reason, toString(outcome) AS outcome, decisions, minutes,
    decisions_needed, mean_outcome, median_per_ns, low_per_ns, high_per_ns,
    backend_per_ms, backend_se, injection_per_ms, injection_se,
    delay_max_ns, latency_low_ns, latency_high_ns, not_randomised, experiments, config_hash
FROM slope_models
ORDER BY version
