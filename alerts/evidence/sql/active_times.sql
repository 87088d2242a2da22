-- When alerts about one class fired, of those that began or ceased to in [from_ns, end_ns), and the window before it in
-- which they were seen to burn; one that fires at end_ns does until then.
-- Returns: begin_ns, over_ns UInt64; a row an alert.
SELECT
    toUInt64(greatest(toInt64(max(started_ns)) - min(window_s) * 1000000000, 0)) AS begin_ns,
    if(argMax(to_state, seq) = 'firing', {end_ns:UInt64}, maxIf(at_ns, from_state = 'firing')) AS over_ns
FROM alert_events FINAL
WHERE at_ns >= {from_ns:UInt64} AND at_ns < {end_ns:UInt64} AND started_ns > 0
    AND action IN ({action:String}, '*') AND region IN ({region:String}, '*')
GROUP BY episode_id
