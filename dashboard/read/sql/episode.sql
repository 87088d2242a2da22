-- One alert from its first transition to its last, by the id that a webhook carries.
-- Returns: action, region, state, basis String, first_ns, at_ns UInt64, window_s UInt32; no rows when unknown.
SELECT
    argMax(events.action, events.seq) AS action,
    argMax(events.region, events.seq) AS region,
    argMax(events.to_state, events.seq) AS state,
    argMax(events.basis, events.seq) AS basis,
    min(events.at_ns) AS first_ns,
    max(events.at_ns) AS at_ns,
    argMax(events.window_s, events.seq) AS window_s
FROM alert_events AS events FINAL
WHERE events.episode_id = {episode_id:String}
GROUP BY events.episode_id
