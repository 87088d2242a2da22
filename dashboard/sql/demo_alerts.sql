-- The alerts that began to fire, by what their class has lost since; the dearest first.
-- Returns: stage, class String (empty where no segment stood out); at_risk, lost Decimal(18, 6):
-- USD/h when it fired, and USD since it fired. A row an episode.
SELECT
    any(fired.blamed_stage) AS stage,
    any(fired.blamed_class) AS class,
    any(fired.revenue_at_risk_usd_per_h) AS at_risk,
    sum(cells.loss_usd) AS lost
FROM
(
    SELECT episode_id, action, region, at_ns, blamed_stage, blamed_class, revenue_at_risk_usd_per_h
    FROM alert_events FINAL
    WHERE to_state = 'firing' AND from_state != 'cooling'
) AS fired
LEFT JOIN
(
    SELECT second_ns, action, region, loss_usd
    FROM revenue_cells FINAL
) AS cells ON cells.action = fired.action AND cells.region = fired.region
WHERE cells.second_ns >= fired.at_ns
GROUP BY fired.episode_id
ORDER BY lost DESC
