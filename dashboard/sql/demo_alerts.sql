-- The alerts that began to fire, the costliest first.
-- Returns: blamed_stage, blamed_class String, revenue_at_risk_usd_per_h Decimal(18, 6); a row an
-- episode, its costliest judgement.
SELECT
    argMax(blamed_stage, revenue_at_risk_usd_per_h) AS stage,
    argMax(blamed_class, revenue_at_risk_usd_per_h) AS class,
    max(revenue_at_risk_usd_per_h) AS at_risk
FROM alert_events FINAL
WHERE to_state = 'firing'
GROUP BY episode_id
ORDER BY at_risk DESC
