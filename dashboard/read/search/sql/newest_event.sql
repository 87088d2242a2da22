-- The newest transition of one alert, for one that the alert state has no more, or is elsewhere.
-- Returns: rule, to_state; no row where the alert is unknown.
SELECT
    rule,
    to_state
FROM alert_events FINAL
WHERE episode_id = {episode_id:String}
ORDER BY seq DESC
LIMIT 1
