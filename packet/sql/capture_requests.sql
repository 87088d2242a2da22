-- Alerts whose time the recorder may still hold.
-- Returns: trigger_id String, from_ns UInt64, to_ns UInt64, action String, region String; oldest first.
SELECT trigger_id, from_ns, to_ns, action, region
FROM capture_requests FINAL
WHERE to_ns >= {oldest_ns:UInt64}
ORDER BY at_ns, trigger_id
