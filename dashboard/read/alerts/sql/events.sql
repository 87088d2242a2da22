-- Every transition of one alert, for one that the alert state has no more, or is elsewhere.
-- Returns: the columns of alert_events, by seq; no rows where the alert is unknown.
SELECT *
FROM alert_events FINAL
WHERE episode_id = {episode_id:String}
ORDER BY seq
LIMIT {rows_max:UInt64}
