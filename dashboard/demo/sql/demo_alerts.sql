-- The alerts that began to fire, by what their class has lost since; the dearest first.
-- Returns: stage, class String (empty where no segment stood out); at_risk, lost Decimal(18, 6):
-- USD/h at the dearest of its judgements, and USD since it fired. A row an episode.
SELECT
    argMax(fired.blamed_stage, fired.seq) AS stage,
    argMax(fired.blamed_class, fired.seq) AS class,
    max(fired.revenue_at_risk_usd_per_h) AS at_risk,
    sumIf(cells.loss_usd, fired.from_state != 'firing') AS lost
FROM
(
    SELECT
        episode_id, seq, from_state, action, region, started_ns, blamed_stage, blamed_class,
        revenue_at_risk_usd_per_h
    FROM alert_events FINAL
    WHERE to_state = 'firing' AND from_state != 'cooling'
) AS fired
LEFT JOIN
(
    SELECT second_ns, action, region, loss_usd
    FROM revenue_cells FINAL
) AS cells ON cells.action = fired.action AND cells.region = fired.region
WHERE cells.second_ns >= fired.started_ns
GROUP BY fired.episode_id
ORDER BY lost DESC
