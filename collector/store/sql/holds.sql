-- Every legal hold, those that were released too.
-- Returns: name String, tables Array(String), from_ns UInt64, to_ns UInt64, reason String,
-- actor String, at_ns UInt64, released_ns UInt64; in order of their making.
SELECT name, tables, from_ns, to_ns, reason, actor, at_ns, released_ns
FROM holds FINAL
ORDER BY at_ns, name
