-- Requests of alerts and triggers that end after an instant and of which this host's recorder has not yet said
-- what became of them: a request that grew since is asked again.
-- Returns: trigger_id String, cause String, from_ns UInt64, to_ns UInt64, action String, region String,
-- trace_ids Array(String), port_pairs Array(UInt32); oldest first. An alert names a class of decisions
-- (empty for all), every other cause names traces or connections.
SELECT trigger_id, cause, from_ns, to_ns, action, region, trace_ids, port_pairs
FROM
(
    SELECT
        at_ns, trigger_id, 'alert' AS cause, from_ns, to_ns, toString(action) AS action,
        toString(region) AS region, CAST([] AS Array(String)) AS trace_ids,
        CAST([] AS Array(UInt32)) AS port_pairs
    FROM capture_requests FINAL
    WHERE to_ns >= {horizon_ns:UInt64}
    UNION ALL
    SELECT
        began_ns AS at_ns, trigger_id, toString(cause) AS cause, from_ns, to_ns, '' AS action,
        '' AS region, trace_ids, port_pairs
    FROM capture_triggers FINAL
    WHERE to_ns >= {horizon_ns:UInt64}
) AS asked
LEFT JOIN
(
    SELECT trigger_id, max(version) AS judged_ns
    FROM reconstructions
    WHERE host = {host:String}
    GROUP BY trigger_id
) AS judged USING (trigger_id)
WHERE judged_ns < to_ns + {late_ns:UInt64}
ORDER BY at_ns, trigger_id
