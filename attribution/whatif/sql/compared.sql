-- The split of the decisions of one side of a comparison, or of one in `every`, chosen by their id, by what they are
-- told apart, and what each lost: by priced.sql, over compared_priced.sql.
-- Parameters: those of compared_priced.sql and priced.sql; slope_unknown, by slope, 1 where it is.
-- Returns: action, region, channel, cohort, service String; total_ns Int64; is_error UInt8; loss Float64, in USD, null
-- where it is unknown; is_valued UInt8, whether it is known what it is worth; value Float64, USD; and the sixteen segments;
-- unordered.
SELECT
    toString(h.action) AS action, toString(h.region) AS region, toString(h.channel) AS channel,
    toString(h.cohort) AS cohort, toString(d.service_name) AS service, toInt64(h.total_ns) AS total_ns,
    h.is_error AS is_error,
    -- What neither failed nor was late lost nothing, whatever it is worth; lateness whose cost is unknown lost some.
    multiIf(h.is_error = 0 AND h.late_ns > 0 AND {slope_unknown:Array(UInt8)}[h.slope] = 1, NULL,
        h.is_valued, h.loss, h.share = 0, 0, NULL) AS loss,
    h.is_valued AS is_valued, h.value AS value,
    h.ingress_network_ns AS ingress_network_ns, h.ingress_compute_ns AS ingress_compute_ns,
    h.ingress_store_ns AS ingress_store_ns, h.ingress_untraced_ns AS ingress_untraced_ns,
    h.transform_network_ns AS transform_network_ns, h.transform_compute_ns AS transform_compute_ns,
    h.transform_store_ns AS transform_store_ns, h.transform_untraced_ns AS transform_untraced_ns,
    h.decision_network_ns AS decision_network_ns, h.decision_compute_ns AS decision_compute_ns,
    h.decision_store_ns AS decision_store_ns, h.decision_untraced_ns AS decision_untraced_ns,
    h.egress_network_ns AS egress_network_ns, h.egress_compute_ns AS egress_compute_ns,
    h.egress_store_ns AS egress_store_ns, h.egress_untraced_ns AS egress_untraced_ns
FROM
(
${priced}
) AS h
LEFT ANY JOIN
(
    SELECT ingress_ns, decision_id, service_name FROM decisions
    WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
        AND ({every:UInt64} = 1 OR cityHash64(decision_id) % {every:UInt64} = 0)
) AS d ON h.ingress_ns = d.ingress_ns AND h.decision_id = d.decision_id
