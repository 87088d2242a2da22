-- The last state of every alert that is open, or that changed inside the window; with an incident_id
--   of those of that incident, since they began to fire.
-- Returns: one row an episode, as alert_events has it at its last transition; first_ns UInt64 is the
--   instant of its first one, found UInt64 how many there are without the limit; open ones first, of
--   those classes that went quiet and never fired last, live before shadow, what can be judged before
--   what cannot, by what is at risk, then by what the dearest window lost: what is over has none at
--   risk. No rows when all is quiet.
SELECT
    episode_id,
    max(events.seq) AS seq,
    argMax(events.rule, events.seq) AS rule,
    argMax(events.severity, events.seq) AS severity,
    argMax(events.action, events.seq) AS action,
    argMax(events.region, events.seq) AS region,
    argMax(events.to_state, events.seq) AS state,
    min(events.at_ns) AS first_ns,
    max(events.at_ns) AS at_ns,
    max(events.started_ns) AS started_ns,
    argMax(events.window_s, events.seq) AS window_s,
    argMax(events.loss_usd, events.seq) AS loss_usd,
    argMax(events.loss_low_usd, events.seq) AS loss_low_usd,
    argMax(events.loss_high_usd, events.seq) AS loss_high_usd,
    argMax(events.revenue_at_risk_usd_per_h, events.seq) AS revenue_at_risk_usd_per_h,
    argMax(events.burn, events.seq) AS burn,
    argMax(events.basis, events.seq) AS basis,
    argMax(events.blamed_stage, events.seq) AS blamed_stage,
    argMax(events.blamed_class, events.seq) AS blamed_class,
    argMax(events.blamed_excess_ns, events.seq) AS blamed_excess_ns,
    -- Of one that is over or cools why it fired, and not why it does no longer.
    if(state IN ('cooling', 'resolved') AND countIf(events.to_state = 'firing') > 0,
        argMaxIf(events.reason, events.seq, events.to_state = 'firing'),
        argMax(events.reason, events.seq)) AS reason,
    argMax(events.is_shadow, events.seq) AS is_shadow,
    max(events.incident_id) AS incident_id,
    argMax(events.focus, events.seq) AS focus,
    argMax(events.failing_share, events.seq) AS failing_share,
    argMax(events.failing_call, events.seq) AS failing_call,
    argMax(events.failing_call_text, events.seq) AS failing_call_text,
    argMax(events.slow_call, events.seq) AS slow_call,
    argMax(events.slow_call_text, events.seq) AS slow_call_text,
    count() OVER () AS found
FROM alert_events AS events FINAL
WHERE events.at_ns >= {lookback_ns:UInt64} AND events.at_ns < {to_ns:UInt64}
    AND ({incident_id:String} = '' OR events.incident_id = {incident_id:String})
GROUP BY episode_id
HAVING state != 'inactive' AND (state != 'resolved' OR at_ns >= {from_ns:UInt64})
ORDER BY
    state = 'resolved',
    state = 'unknown' AND started_ns = 0,
    is_shadow,
    state = 'unknown',
    revenue_at_risk_usd_per_h DESC,
    max(events.loss_usd) DESC,
    at_ns DESC,
    episode_id
LIMIT {rows_max:UInt64}
