-- When each view got the text that it has.
-- Returns: name String (view decisions_mv and so on), applied_ns UInt64.
SELECT name, max(applied_ns) AS applied_ns
FROM schema_migrations
WHERE name IN ('view decisions_mv', 'view outcomes_mv')
GROUP BY name
