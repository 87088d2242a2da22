-- How many outcomes say that they came from files. With FINAL: an import that was cut off came twice, and is noted once.
-- Returns: one row: outcomes UInt64.
SELECT count() AS outcomes FROM outcomes FINAL WHERE source != 'otlp'
