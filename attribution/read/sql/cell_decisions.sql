-- The attributed decisions of some seconds, with the value that each states itself.
-- Returns: the columns below; by ingress_ns, decision_id. value_usd null where it is not known,
-- received_ns 0 where the root is gone.
SELECT
    toInt64(a.ingress_ns) AS ingress_ns,
    a.decision_id AS decision_id,
    toString(a.action) AS action,
    toString(a.region) AS region,
    toInt64(a.total_ns) AS total_ns,
    a.is_error AS is_error,
    d.value_usd AS value_usd,
    d.outcome_key AS outcome_key,
    toInt64(d.received_ns) AS received_ns,
    -- Without an outcome it earned nothing: only what earned something sends one.
    has({other_channels:Array(String)}, toString(d.channel)) = {all_sent:UInt8} AS is_silent,
    -- What is sold later is not counted.
    toInt64(if(has({horizon_channels:Array(String)}, toString(d.channel)),
        {horizons_ns:Array(UInt64)}[indexOf({horizon_channels:Array(String)}, toString(d.channel))],
        {horizon_ns:UInt64})) AS horizon_ns
FROM
(
    SELECT ingress_ns, decision_id, action, region, total_ns, is_error FROM attributions FINAL
    WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
        AND intDiv(ingress_ns, 1000000000) * 1000000000 IN {seconds_ns:Array(UInt64)}
) AS a
LEFT JOIN
(
    SELECT ingress_ns, decision_id, value_usd, outcome_key, channel, received_ns FROM decisions FINAL
    WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
        AND intDiv(ingress_ns, 1000000000) * 1000000000 IN {seconds_ns:Array(UInt64)}
) AS d ON a.ingress_ns = d.ingress_ns AND a.decision_id = d.decision_id
ORDER BY ingress_ns, decision_id
