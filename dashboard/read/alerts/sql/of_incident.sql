-- The alerts of one incident as of their last change.
-- Returns: episode_id, rule, severity, action, region, state String, started_ns UInt64; in the order in which they
--   began to fire.
SELECT
    episode_id,
    argMax(events.rule, events.seq) AS rule,
    argMax(events.severity, events.seq) AS severity,
    argMax(events.action, events.seq) AS action,
    argMax(events.region, events.seq) AS region,
    argMax(events.to_state, events.seq) AS state,
    max(events.started_ns) AS started_ns
FROM alert_events AS events FINAL
WHERE incident_id = {incident_id:String} AND at_ns >= {from_ns:UInt64} AND at_ns < {to_ns:UInt64}
GROUP BY episode_id
ORDER BY started_ns, episode_id
LIMIT {rows_max:UInt64}
