-- When the ledger says that each view got the text that it has.
-- Returns: name String (view decisions_mv and so on), applied_ns UInt64.
SELECT name, max(applied_ns) AS applied_ns
FROM schema_migrations
WHERE startsWith(name, 'view ')
GROUP BY name
